"""Lots: other ones in each process, unless a seed is given."""

import os
import subprocess
import sys

import pytest

DRAW = """
import os, sys
import django; django.setup()
from backend.common.lots import LOTS
for _ in range(2):
    if not os.fork():
        print(LOTS.random(), flush=True)
        os._exit(0)
    os.wait()
"""


def drawn(**environment: str) -> list[str]:
    settings = {"DJANGO_SETTINGS_MODULE": "backend.config.settings", **environment}
    done = subprocess.run(
        [sys.executable, "-c", DRAW], env={**os.environ, **settings}, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize(("environment", "different"), [({}, 4), ({"LOTS_SEED": "3"}, 1)])
def test_workers_draw_different_lots_and_the_same_ones_again_with_a_seed(
    environment: dict[str, str], different: int
) -> None:
    assert len({*drawn(**environment), *drawn(**environment)}) == different
