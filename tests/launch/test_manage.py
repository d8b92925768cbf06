"""manage.py, as somebody types it who has just installed Maskloop."""

import os
import subprocess
import sys
from pathlib import Path

from backend.launch.places import ROOT
from tests.system.conftest import TEST_SERVERS


def manage(tmp_path: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if name not in (*TEST_SERVERS, "PYTHONPATH", "DATABASE_POOL")
    }
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**kept, "VAR": str(tmp_path / "var"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_asks_for_python3_which_is_the_only_name_of_python_on_many_systems():
    assert (ROOT / "manage.py").read_text().splitlines()[0] == "#!/usr/bin/env python3"


def test_the_systems_python_hands_over_to_that_of_the_checkout(tmp_path):
    systems = os.path.realpath(sys.executable)
    lacks_django = subprocess.run([systems, "-c", "import django"], capture_output=True, cwd=tmp_path, check=False)
    assert lacks_django.returncode != 0
    done = manage(tmp_path, systems, "manage.py", "version")
    assert done.returncode == 0, done.stderr


def test_a_venv_that_is_none_is_tried_once(tmp_path):
    """A Python that says it belongs elsewhere, even when it is started out of .venv."""
    (tmp_path / "manage.py").write_text((ROOT / "manage.py").read_text())
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho started >&2\nexec {os.path.realpath(sys.executable)} -S "$@"\n')
    python.chmod(0o755)
    done = subprocess.run([sys.executable, str(tmp_path / "manage.py")], capture_output=True, text=True, check=False)
    assert done.stderr.count("started") == 1


def test_without_a_database_it_is_one_sentence(tmp_path):
    done = manage(tmp_path, sys.executable, "manage.py", "migrate")
    assert done.returncode == 1
    assert done.stderr == "No database is running here; start Maskloop with `make run`, and give the same VAR here.\n"
