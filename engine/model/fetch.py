"""Getting a published checkpoint: what came is kept until all is there, and nothing has its name unless its hash is right."""

import fcntl
import hashlib
import http.client
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO

from engine.errors import FetchFailed
from engine.model.known import KnownCheckpoint

BLOCK_BYTES = 1 << 20
TIMEOUT_SECONDS = 30.0
#: What a network does; any other OSError is the disk's.
NETWORK_ERRORS = (urllib.error.URLError, TimeoutError, ConnectionError, ssl.SSLError, http.client.HTTPException)

#: Called with the bytes that are there, and all that there will be where the server says so.
Report = Callable[[int, int | None], None]


def fetch(known: KnownCheckpoint, folder: Path, *, url: str | None = None, report: Report | None = None) -> Path:
    """The file in `folder`, fetched unless it is there already. An interrupted one is continued.

    Args:
        url: of a mirror, instead of the published address; the hash must be the published one all the same.
    Raises:
        FetchFailed: no network, a server that does not have it, no room, somebody else fetching it, or other content than
            published, which is removed.
    """
    url, target = url or known.url, folder / known.file
    if target.is_file() and sha256_of(target) == known.sha256:
        return target
    unfinished = target.with_name(f"{target.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(unfinished, "ab") as file:
            _lock(file, target)
            _fill(file, url, report or (lambda *_: None))
            os.fsync(file.fileno())
            size, found = file.tell(), sha256_of(unfinished)
            if found != known.sha256:
                unfinished.unlink()
                raise FetchFailed(
                    f"what came from {url} is not {known.file}: {size} bytes with SHA-256 {found}, published is "
                    f"{known.sha256}; it was removed"
                )
            os.replace(unfinished, target)
    except OSError as error:
        raise FetchFailed(f"{unfinished} cannot be written: {error.strerror or error}") from error
    return target


def sha256_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lock(file: IO[bytes], target: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # gone with the process, however it ends
    except BlockingIOError:
        raise FetchFailed(f"another process is fetching {target}") from None


def _fill(file: IO[bytes], url: str, report: Report) -> None:
    """Append until all is there. A connection that breaks is taken up again as long as each brings something."""
    while True:
        before = file.tell()
        try:
            if _append(file, url, report):
                return
            problem = "the connection was closed early"
        except urllib.error.HTTPError as error:
            raise FetchFailed(f"{url} answers {error.code} {error.reason}") from error
        except NETWORK_ERRORS as error:
            cause = getattr(error, "reason", error)
            problem = str(getattr(cause, "strerror", None) or cause) or type(error).__name__
        except ValueError as error:
            raise FetchFailed(f"{url!r} is no address: {error}") from error
        if file.tell() <= before:
            have = file.tell()
            kept = f"; {have} bytes are there already and are kept" if have else ""
            raise FetchFailed(f"{url} cannot be reached ({problem}){kept}")


def _append(file: IO[bytes], url: str, report: Report) -> bool:
    """One connection. Returns whether everything is there now."""
    have = file.tell()
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise
        error.close()
        if error.headers.get("Content-Range", "").rpartition("/")[2] == str(have):
            return True  # only the renaming was missing
        file.truncate(0)  # more than there is: of another file
        file.seek(0)
        return _append(file, url, report)
    with answer:
        if have and answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            file.truncate(0)  # this server sends all or nothing
            file.seek(0)
        length = answer.headers.get("Content-Length")
        total = file.tell() + int(length) if length else None
        report(file.tell(), total)
        while block := answer.read(BLOCK_BYTES):
            file.write(block)
            report(file.tell(), total)
    file.flush()
    return total is None or file.tell() >= total
