"""The engine as a package, for whoever wants nothing else."""

import shutil
import subprocess
import sys

from backend.launch.places import ROOT
from engine.api import DEFAULT_CHECKPOINT

ASK = """
import sys
sys.path.insert(0, sys.argv[1])
from engine.api import DEFAULT_CHECKPOINT, describe_checkpoint
assert str(DEFAULT_CHECKPOINT).startswith(sys.argv[1])
print(describe_checkpoint(DEFAULT_CHECKPOINT).architecture)
"""


def test_what_pip_installs_is_the_engine_with_its_weights_and_nothing_else(tmp_path):
    tree, there = tmp_path / "tree", tmp_path / "there"
    shutil.copytree(ROOT / "engine", tree / "engine", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    (tree / "backend").mkdir()  # as in a checkout, of which it is no part
    (tree / "backend" / "__init__.py").touch()
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "--no-compile"]
    done = subprocess.run([*pip, "--target", there, tree], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {path.name.split("-")[0] for path in there.iterdir()} == {"engine", "maskloop"}
    modules = {str(path.relative_to(tree)) for path in (tree / "engine").rglob("*.py")}
    assert modules == {str(path.relative_to(there)) for path in there.rglob("*.py")}
    assert (there / "engine" / "weights" / DEFAULT_CHECKPOINT.name).read_bytes() == DEFAULT_CHECKPOINT.read_bytes()
    asked = subprocess.run([sys.executable, "-I", "-c", ASK, there], capture_output=True, text=True, check=False)
    assert asked.stdout == "maskloop_tiny\n", asked.stderr
