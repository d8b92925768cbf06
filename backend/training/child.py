"""The engine as a child process of the training worker: told by its JSON lines, stopped with its children."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, Queue
from typing import IO, Any

from backend.launch.embedded import die_with_parent
from backend.launch.giving_way import give_way
from backend.launch.places import ROOT

SENTENCE = "engine: "  # begins what `python -m engine` says of a refusal
PATIENCE_SECONDS = 30  # for a TERM: the engine saves its state


class ChildFailed(Exception):
    """The engine ended with an error; the message is its last words."""


class ChildKilled(Exception):
    """Somebody else ended the engine: the system, for its memory, or an operator."""


class ChildStopped(Exception):
    """It was stopped because nobody wants it any more."""


def run_engine(
    arguments: list[str],
    *,
    tell: Callable[[dict[str, Any]], None],
    wanted: Callable[[], bool],
    said: Callable[[str], None] = lambda line: None,
    processes: int = 1,
    beat_seconds: float = 2,
) -> None:
    """Run `python -m engine` to its end.

    Args:
        processes: more than one: under torchrun, a GPU each.
        tell: called with each JSON line of its output.
        wanted: asked every `beat_seconds`; once it says no, the child is stopped.
        said: called with each line of its error output, from another thread.
    Raises:
        ChildFailed, ChildKilled, ChildStopped.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DJANGO_")}
    # Threads that spin while they wait starve when others want the cores, and this child is the last in line.
    environment.setdefault("OMP_WAIT_POLICY", "passive")
    shared_out = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    child = subprocess.Popen(
        [sys.executable, "-m", *(shared_out if processes > 1 else []), "engine", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )
    give_way(child.pid)
    lines: Queue[str] = Queue()
    last_words: deque[str] = deque(maxlen=200)

    def hear(line: str) -> None:
        last_words.append(line)
        said(line)

    readers = [
        threading.Thread(target=_each_line, args=(child.stdout, lines.put), daemon=True),
        threading.Thread(target=_each_line, args=(child.stderr, hear), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        while child.poll() is None or not lines.empty() or readers[0].is_alive():
            with contextlib.suppress(Empty):
                _relay(lines.get(timeout=beat_seconds), tell)
            if not wanted():
                raise ChildStopped
        readers[1].join(5)
        if child.returncode < 0:
            raise ChildKilled(f"The engine was ended from outside ({signal.Signals(-child.returncode).name}).")
        if child.returncode:
            raise ChildFailed(why_it_failed(child.returncode, list(last_words)))
    finally:
        _stop(child)


def why_it_failed(status: int, last_words: list[str]) -> str:
    """A sentence for people.

    Args:
        last_words: lines of its error output.
    """
    words = [line.strip() for line in last_words if line.strip()]
    if not words:
        return f"The engine ended with status {status}."
    if sentences := [line for line in words if line.startswith(SENTENCE)]:
        return sentences[-1].removeprefix(SENTENCE)
    return f"The engine met a fault of its own ({words[-1]}). The log has more."


def _each_line(output: IO[str] | None, take: Callable[[str], object]) -> None:
    for line in output or ():
        take(line)


def _relay(line: str, tell: Callable[[dict[str, Any]], None]) -> None:
    try:
        tell(json.loads(line))
    except ValueError:
        pass  # a word that is not for us


def _stop(child: subprocess.Popen[str]) -> None:
    for number, patience in ((signal.SIGTERM, PATIENCE_SECONDS), (signal.SIGKILL, 5)):
        if child.poll() is not None:
            return
        try:
            os.killpg(child.pid, number)
            child.wait(patience)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
