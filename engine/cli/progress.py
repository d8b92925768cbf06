"""How far a long command is, on stderr, for people only."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TextIO, TypeVar

T = TypeVar("T")
WIDTH = 24


def with_progress(items: Sequence[T], what: str, stream: TextIO | None = None) -> Iterator[T]:
    """The same items; a terminal shows which one is being worked on, and how long the rest will take.

    Args:
        what: one item, in a word.
    """
    stream = stream or sys.stderr
    if not stream.isatty():
        yield from items
        return
    began = time.monotonic()
    try:
        for done, item in enumerate(items):
            filled = WIDTH * done // len(items)
            left = f", {_time((time.monotonic() - began) / done * (len(items) - done))} left" if done else ""
            bar = "#" * filled + "." * (WIDTH - filled)
            stream.write(f"\r[{bar}] {what} {done + 1} of {len(items)}{left}\x1b[K")
            stream.flush()
            yield item
    finally:
        stream.write("\r\x1b[K")
        stream.flush()


def _time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes}:{seconds:02}"
