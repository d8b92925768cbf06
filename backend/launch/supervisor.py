"""`make run`: the servers, every process, and nothing left behind.

PostgreSQL and Redis first, then migrations and the first admin, then web, workers and beat. Their output is prefixed by
their names. When one dies, or on Ctrl-C or TERM, all of them stop, children included.
"""

import errno
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import webbrowser
from typing import IO

from backend.launch.embedded import EmbeddedPostgres, EmbeddedRedis, die_with_parent, redis_server
from backend.launch.giving_way import give_way
from backend.launch.places import ROOT, servers_file, var
from backend.launch.sentence import Sentence

MIN_FREE_BYTES = 1 << 30
STOP_SECONDS = 8  # then the process is killed: whatever it was doing is done again by the next one
WORKER_QUEUES = ("interactive", "batch", "training")
IN_BACKGROUND = ("batch", "training")


def commands(port: int) -> dict[str, list[str]]:
    """Every process by its name. Each can be started alone, on any machine, with the same environment."""
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "backend.config"]
    worker = [*celery, "worker", "--pool=solo", "--without-gossip", "--without-mingle", "--loglevel=INFO"]
    return {
        "web": [
            *(sys.executable, "-m", "uvicorn", "backend.config.asgi:application"),
            *("--host", "127.0.0.1", "--port", str(port), "--lifespan", "off", "--log-level", "warning"),
            *("--timeout-graceful-shutdown", "2"),
        ],
        **{queue: [*worker, "-Q", queue, "-n", f"{queue}@%h"] for queue in WORKER_QUEUES},
        "beat": [*celery, "beat", "--loglevel=WARNING", "--pidfile="],
    }


class Supervisor:
    def __init__(self, port: int) -> None:
        self.port = port
        self.postgres = EmbeddedPostgres(var() / "postgres")
        self.redis = EmbeddedRedis(var() / "redis")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.stopping = threading.Event()
        self._said = threading.Lock()

    def run(self, *, open_browser: bool) -> int:
        """Until somebody stops it. Returns the exit status."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stopping.set())
        lock = _only_one()
        _enough_disk()
        _port_free(self.port)
        redis_server()
        try:
            environment = self._start_servers()
            self._prepare(environment)
            for name, command in commands(self.port).items():
                self._start(name, command, environment)
            if (failed := self._wait_until_ready()) or self.stopping.is_set():
                return self._tell(failed) if failed else 0
            print(f"Maskloop is ready: http://127.0.0.1:{self.port}", flush=True)
            if open_browser:
                webbrowser.open(f"http://127.0.0.1:{self.port}")
            while not self.stopping.wait(0.3):
                if dead := self._dead():
                    return self._tell(dead)
            return 0
        finally:
            self._stop_all()
            lock.close()

    def _start_servers(self) -> dict[str, str]:
        database_url, redis_url = self.postgres.start(stopping=self.stopping), self.redis.start()
        servers = {"database_url": database_url, "redis_url": redis_url, "port": str(self.port)}
        servers_file().write_text(json.dumps(servers))
        others = ("DATABASE_URL", "REDIS_URL", "BROKER_URL", "MASKLOOP_ENV")
        environment = {k: v for k, v in os.environ.items() if k not in others}
        environment["MASKLOOP_LOCAL"] = "1"  # whatever else the shell has: see config.environment
        # Two cores are soon full: a worker that computes leaves room for the one that answers clicks.
        threads = str(max(1, (os.cpu_count() or 2) - 1))
        # Celery warns of root each time; on a machine where everything runs as root that is known.
        quiet = "ignore::UserWarning:celery.platforms"
        return {"OMP_NUM_THREADS": threads, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": quiet, **environment}

    def _prepare(self, environment: dict[str, str]) -> None:
        """Tables, the first admin and the demo. Raises Sentence where that fails."""
        first_start = not (var() / "admin.txt").exists()
        if first_start:
            password = secrets.token_urlsafe(12)
            environment = {**environment, "FIRST_ADMIN_PASSWORD": password}
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "prepare"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
            raise Sentence(f"The database could not be prepared: {lines[-1]}")
        if first_start:
            file = var() / "admin.txt"
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as kept:
                kept.write(f"name: admin\npassword: {password}\n")
            print(f"Log in as admin with the password {password}   (kept in {file})", flush=True)
        else:
            print(f"Log in as admin; the password is in {var() / 'admin.txt'}", flush=True)

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, so that its children can be stopped with it
            preexec_fn=die_with_parent,
        )
        self.processes[name] = process
        if name in IN_BACKGROUND:
            give_way(process.pid)
        assert process.stdout is not None
        threading.Thread(target=self._relay, args=(name, process.stdout), daemon=True).start()

    def _relay(self, name: str, output: IO[bytes]) -> None:
        for line in output:
            with self._said:
                print(f"{name:>11} | {line.decode(errors='replace').rstrip()}", flush=True)

    def _wait_until_ready(self, seconds: float = 120) -> str | None:
        """None when web, database, Redis and workers answer, or the name of what did not."""
        import redis

        client = redis.Redis.from_url(f"unix://{self.redis.socket}")
        end = time.monotonic() + seconds
        waiting = "web"
        while not self.stopping.is_set() and time.monotonic() < end:
            if dead := self._dead():
                return dead
            missing = [queue for queue in WORKER_QUEUES if not client.exists(f"maskloop:worker:{queue}")]
            waiting = missing[0] if missing else "web"
            if not missing and _healthy(self.port):
                return None
            time.sleep(0.1)
        return waiting

    def _dead(self) -> str | None:
        if not self.redis.alive:
            return "redis"
        return next((name for name, process in self.processes.items() if process.poll() is not None), None)

    def _tell(self, name: str) -> int:
        print(
            f"Maskloop stops: {name} ended or does not answer; its last lines are above.", file=sys.stderr, flush=True
        )
        return 1

    def _stop_all(self) -> None:
        for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5)):
            for process in self.processes.values():
                _signal_group(process, number)
            end = time.monotonic() + patience
            for process in self.processes.values():
                try:
                    process.wait(max(0.0, end - time.monotonic()))
                except subprocess.TimeoutExpired:
                    continue
        self.redis.stop()
        self.postgres.stop()
        servers_file().unlink(missing_ok=True)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # gone already


def _only_one() -> IO[str]:
    """Hold the folder. Raises Sentence where another Maskloop does, or it cannot be written."""
    try:
        var().mkdir(parents=True, exist_ok=True)
        lock = open(var() / "lock", "w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Sentence(f"Maskloop is already running on {var()}; choose another folder with VAR=…") from None
    except OSError as error:
        raise Sentence(f"{var()} cannot be used: {error.strerror}.") from error
    return lock


def _enough_disk() -> None:
    free = shutil.disk_usage(var()).free
    if free < MIN_FREE_BYTES:
        raise Sentence(f"The disk is full: {free >> 20} MB are left at {var()}, Maskloop needs {MIN_FREE_BYTES >> 20}.")


def _port_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Sentence(f"Port {port} is taken; choose another one with PORT=…") from None
            raise Sentence(f"Port {port} cannot be used: {error.strerror}.") from None


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health/", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def main() -> int:
    """The command line: PORT, VAR and OPEN come from the environment."""
    try:
        try:
            port = int(os.environ.get("PORT") or 8000)
        except ValueError:
            port = 0
        if not 0 < port < 65536:
            raise Sentence(f"PORT is a number from 1 to 65535, not {os.environ['PORT']!r}.")
        wants_browser = os.environ.get("OPEN", "1") != "0" and sys.stdout.isatty()
        return Supervisor(port).run(open_browser=wants_browser)
    except Sentence as problem:
        print(problem, file=sys.stderr)
        return 1
