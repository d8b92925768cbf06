"""The engine in a process of its own."""

import contextlib
import os
from pathlib import Path

import psutil

from backend.launch.giving_way import BACKGROUND_NICE
from backend.training.child import run_engine


def test_what_trains_leaves_the_cores_to_the_page_though_it_leads_a_session_of_its_own():
    seen = []

    def look() -> bool:
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.Error, OSError):  # it may end meanwhile
                if os.getsid(child.pid) == child.pid and "engine" in child.cmdline():
                    weight = Path(f"/proc/{child.pid}/autogroup")
                    seen.append((child.nice(), weight.read_text().split()[-1] if weight.exists() else None))
        return True

    run_engine(["checkpoints"], tell=lambda line: None, wanted=look, said=lambda line: None, beat_seconds=0.1)
    assert seen
    assert {nice for nice, _ in seen} == {BACKGROUND_NICE}
    assert {weight for _, weight in seen} <= {str(BACKGROUND_NICE), None}
