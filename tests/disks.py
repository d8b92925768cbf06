"""Disks that are full."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A disk of its own under a folder. Root only: see `can_mount`."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount(b"tmpfs", folder, b"tmpfs", f"size={megabytes}m".encode())
    try:
        yield
    finally:
        # Whoever still has a file open there keeps it until they end.
        ctypes.CDLL(None, use_errno=True).umount2(str(folder).encode(), 2)


def can_mount(folder: Path) -> bool:
    try:
        with small_disk(folder, 1):
            return True
    except OSError:
        return False


def _mount(source: bytes, folder: Path, kind: bytes, options: bytes) -> None:
    if sys.platform != "linux":
        raise OSError("only on Linux")
    if ctypes.CDLL(None, use_errno=True).mount(source, str(folder).encode(), kind, 0, options):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def fill(folder: Path) -> Path:
    """Until nothing fits any more; the file that fills it."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    return filler
