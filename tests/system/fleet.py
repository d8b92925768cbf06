"""All of Maskloop as machines run it in production: each process alone, and started again whenever it ends.

And what happens to machines: processes are killed, servers stop, disks are full.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis

from backend.launch.embedded import EmbeddedPostgres, EmbeddedRedis, die_with_parent
from backend.launch.places import ROOT
from backend.launch.supervisor import WORKER_QUEUES, commands
from tests.system.client import Client, wait_until
from tests.system.conftest import TEST_SERVERS, free_port

PASSWORD = "only for tests"


class Fleet:
    """
    Attributes:
        ended: how often each process was started again.
    """

    def __init__(self, var: Path, *, second_workers: bool = False, **environment: str) -> None:
        """
        Args:
            second_workers: two for each queue.
        """
        self.var, self.port = var, free_port()
        self.commands = commands(self.port)
        if second_workers:
            for queue in WORKER_QUEUES:
                self.commands[f"{queue} 2"] = [part.replace(f"{queue}@", f"{queue}2@") for part in self.commands[queue]]
        kept = {k: v for k, v in os.environ.items() if k not in TEST_SERVERS}
        self.environment = {**kept, "VAR": str(var), "OMP_NUM_THREADS": "1", "DEMO": "0", **environment}
        self.own_environment: dict[str, dict[str, str]] = {}
        self.postgres, self.redis = EmbeddedPostgres(var / "postgres"), EmbeddedRedis(var / "redis")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ended: dict[str, int] = {}
        self.wanted: set[str] = set()
        self._stopping = threading.Event()
        self._log = open(var / "processes.log", "ab")
        # A child goes with the thread that began it: so one thread begins them all.
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.wanted = {"postgres", "redis"}
        self._keeper.start()
        wait_until("servers", lambda: (self.var / "servers.json").exists() or None, 60)
        self.manage("prepare", FIRST_ADMIN_PASSWORD=PASSWORD)
        self.wanted |= set(self.commands)
        wait_until("the web process", self._answers, 120)
        wait_until("workers", lambda: all(self._signs()) or None, 120)

    def stop(self) -> None:
        self._stopping.set()
        self._keeper.join(60)
        for number, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
            for process in self.processes.values():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            _, left = psutil.wait_procs([psutil.Process(p.pid) for p in self.processes.values() if _runs(p)], patience)
            for process in self.processes.values():
                process.poll()
            if not left:
                break
        self.redis.stop()
        self.postgres.stop()
        self._log.close()

    def _keep(self) -> None:
        while not self._stopping.wait(0.2):
            wanted = set(self.wanted)
            if "postgres" in wanted and not self._postgres_pid():
                with contextlib.suppress(Exception):  # tried again, as whoever looks after a server does
                    self.postgres = EmbeddedPostgres(self.var / "postgres")
                    self.postgres.start()
            if "redis" in wanted and not self.redis.alive:
                self.redis.start()
            if not (self.var / "servers.json").exists() and self._postgres_pid() and self.redis.alive:
                urls = {"database_url": self.postgres.start(), "redis_url": f"unix://{self.redis.socket}?db=0"}
                (self.var / "servers.json").write_text(json.dumps({**urls, "port": str(self.port)}))
            for name in sorted(wanted & set(self.commands)):
                before = self.processes.get(name)
                if before is None or before.poll() is not None:
                    if before is not None:
                        self.ended[name] = self.ended.get(name, 0) + 1
                        self._stopping.wait(0.5)
                    self.processes[name] = subprocess.Popen(
                        self.commands[name],
                        cwd=ROOT,
                        env={**self.environment, **self.own_environment.get(name, {})},
                        stdout=self._log,
                        stderr=self._log,
                        start_new_session=True,
                        preexec_fn=die_with_parent,
                    )

    def _answers(self) -> bool | None:
        import urllib.request

        try:
            with urllib.request.urlopen(f"{self.address}/api/health/", timeout=2) as reply:
                return reply.status == 200 or None
        except OSError:
            return None

    def _signs(self) -> list[bool]:
        client = self.redis_client()
        return [bool(client.exists(f"maskloop:worker:{queue}")) for queue in WORKER_QUEUES]

    def redis_client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.redis.socket))

    def _postgres_pid(self) -> int | None:
        """Of its first process, while that runs."""
        try:
            pid = int((self.var / "postgres" / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None
        with contextlib.suppress(psutil.Error):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return pid
        return None

    # Seen from inside

    def manage(self, *arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    def ask(self, code: str) -> Any:
        """What a piece of Python says in Django's shell, as JSON: it calls `tell`."""
        whole = f"import json\ntell = lambda what: print('TOLD' + json.dumps(what, default=str))\n{code}"
        out = self.manage("shell", "--no-imports", "-v", "0", "-c", whole)
        return json.loads(next(line for line in out.splitlines() if line.startswith("TOLD"))[4:])

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows, or none where the database is away."""
        url = json.loads((self.var / "servers.json").read_text())["database_url"]
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2) as connection:
            done = connection.execute(statement)  # type: ignore[call-overload]
            return done.fetchall() if done.description else []
        return []

    def count(self, of: str) -> int:
        rows = self.sql(f"SELECT count(*) FROM {of}")
        return int(rows[0][0]) if rows else 0

    def admin(self) -> Client:
        return Client(self.address, "admin", PASSWORD)

    # What happens to machines

    def kill(self, name: str) -> None:
        """kill -9, its children with it or not, as they were made; it is started again."""
        before = self.ended.get(name, 0)
        self.processes[name].kill()
        wait_until(f"{name} again", lambda: self.ended.get(name, 0) > before or None, 30)

    def child_of_training(self) -> psutil.Process | None:
        """The engine's process, while there is one."""
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(self.processes["training"].pid).children()
            return next((child for child in children if "engine" in child.cmdline()), None)
        return None

    def kill_redis(self) -> None:
        assert self.redis._process is not None
        before = self.redis._process
        before.kill()
        wait_until("Redis again", lambda: (self.redis._process is not before and self.redis.alive) or None, 30)

    def kill_postgres(self) -> None:
        pid = self._postgres_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until("PostgreSQL again", lambda: self._postgres_pid() not in (None, pid) or None, 60)

    def stop_postgres(self, seconds: float) -> None:
        """An orderly stop, which breaks all connections, and none is to be had meanwhile."""
        self.wanted.discard("postgres")
        self.postgres.stop()
        assert self._postgres_pid() is None
        time.sleep(seconds)
        self.wanted.add("postgres")
        wait_until("PostgreSQL again", self._postgres_pid, 60)

    def freeze_postgres(self, seconds: float) -> None:
        """Nothing breaks and nothing answers, as on a machine that swaps or is moved."""
        pid = self._postgres_pid()
        assert pid is not None
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        try:
            for process in family:
                with contextlib.suppress(psutil.Error):
                    process.suspend()
            time.sleep(seconds)
        finally:
            for process in reversed(family):
                with contextlib.suppress(psutil.Error):
                    process.resume()

    def time_passes(self) -> None:
        """Eleven minutes, for all that waits to be asked for again, and hours for what processes left half written."""
        for table, states in WAITING.items():
            self.sql(f"UPDATE {table} SET asked_at = asked_at - interval '11 minutes' WHERE state IN ({states})")
        hours_ago = time.time() - 2 * 3600
        for file in (self.var / "storage" / ".unfinished").glob("*"):
            os.utime(file, (hours_ago, hours_ago))

    def a_minute_passes_for_dead_workers(self) -> None:
        """Heartbeats that have stopped are as old as they will be after a minute."""
        for table, heard in HEARTBEATS.items():
            self.sql(
                f"UPDATE {table} SET {heard} = {heard} - interval '1 minute' "
                f"WHERE {heard} < now() - interval '15 seconds' AND finished_at IS NULL"
            )


HEARTBEATS = {
    "training_trainingrun": "heartbeat_at",
    "training_detectorrun": "heartbeat_at",
    "releases_release": "heard_at",
}
WAITING = {
    "autolabel_autolabeljob": "'waiting'",
    "autolabel_proposaljob": "'waiting'",
    "inference_embedding": "'waiting'",
    "releases_release": "'waiting', 'writing'",
}


def _runs(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None


def beside(work: Callable[[], Any]) -> "Beside":
    """Begin it in a thread."""
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["value"] = work()
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    return Beside(thread, outcome)


@dataclass
class Beside:
    thread: threading.Thread
    outcome: dict[str, Any]

    def is_over(self) -> bool:
        return not self.thread.is_alive()

    def end(self) -> Any:
        """Wait for it. Raises what it raised."""
        self.thread.join()
        if "error" in self.outcome:
            raise self.outcome["error"]
        return self.outcome.get("value")
