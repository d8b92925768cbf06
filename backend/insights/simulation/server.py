"""A Maskloop to simulate on: one that runs, or one of our own, started as `make run` starts it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.launch.embedded import die_with_parent
from backend.launch.places import ROOT
from backend.launch.sentence import Sentence

READY = re.compile(r"^Maskloop is ready: ", re.MULTILINE)
READY_WITHIN_SECONDS = 180.0
STOP_SECONDS = 30
#: What would make the new one use another one's servers.
_NOT_INHERITED = ("DATABASE_URL", "REDIS_URL", "BROKER_URL", "STORAGE_URL", "SECRET_KEY", "MASKLOOP_LOCAL", "VAR")


@dataclass(frozen=True, slots=True)
class Server:
    address: str
    username: str
    password: str


@contextmanager
def own_server(var: Path | None = None, *, seed: int | None = None) -> Iterator[Server]:
    """One on a folder of its own; stopped in the end.

    Args:
        var: kept afterwards; None: one that is made, and removed.
        seed: of the lots that the server draws; None: as this process's.
    Raises:
        Sentence: it does not start; its last lines say why.
    """
    folder = Path(tempfile.mkdtemp(prefix="maskloop-simulation-")) if var is None else var.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if var is None:
        folder.chmod(0o755)  # PostgreSQL does not run as root: its user has to get through
    port, lines = _free_port(), list[str]()
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    own = {"VAR": str(folder), "PORT": str(port), "OPEN": "0", "DEMO": "0"}
    if seed is not None:
        own["LOTS_SEED"] = str(seed)
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.launch"],
        cwd=ROOT,
        env={**kept, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=die_with_parent,  # whoever simulates may be killed
    )
    log = folder / "maskloop.log"
    threading.Thread(target=_read, args=(process, lines, log), daemon=True).start()
    try:
        _wait(process, lines)
        yield Server(f"http://127.0.0.1:{port}", "admin", _password(folder))
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        if var is None:
            shutil.rmtree(folder, ignore_errors=True)


def _read(process: "subprocess.Popen[str]", lines: list[str], log: Path) -> None:
    with open(log, "w", encoding="utf-8") as kept:
        for line in process.stdout or ():
            lines.append(line)
            kept.write(line)
            kept.flush()


def _wait(process: "subprocess.Popen[str]", lines: list[str]) -> None:
    end = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if READY.search("".join(lines)):
            return
        time.sleep(0.1)
    raise Sentence("Maskloop did not start:\n" + "".join(lines[-15:]))


def _password(folder: Path) -> str:
    found = re.search(r"^password: (\S+)$", (folder / "admin.txt").read_text(), re.MULTILINE)
    assert found
    return found.group(1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
