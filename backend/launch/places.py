"""Where everything of a local installation lies: all of it in one folder. Standard library only."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def var() -> Path:
    """The folder of all state; VAR chooses another one."""
    return Path(os.environ.get("VAR") or ROOT / "var").resolve()


def servers_file() -> Path:
    """Written by the supervisor while its servers run: {"database_url", "redis_url", "port"}."""
    return var() / "servers.json"
