"""`make run`'s supervisor: it starts everything, and leaves nothing behind."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from backend.launch.places import ROOT
from tests.system.conftest import TEST_SERVERS, Running, free_port, start, world_readable


@pytest.fixture
def var(tmp_path: Path) -> Path:
    return world_readable(tmp_path) / "var"


def family(running: Running) -> list[psutil.Process]:
    """Every process that has to do with this one: its descendants, and servers that belong to its folder."""
    own = psutil.Process(running.process.pid).children(recursive=True)
    return own + [p for p in psutil.process_iter() if str(running.var) in " ".join(_command(p)) and p not in own]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def alive(processes: list[psutil.Process]) -> list[str]:
    return [str(p) for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_it_starts_says_so_keeps_the_password_to_the_owner_and_is_back_within_seconds(var):
    first = start(var)
    at_first = first.wait_until_ready()
    assert first.output.splitlines()[-1] == f"Maskloop is ready: {first.address}"
    assert first.password in first.output
    assert stat.S_IMODE((var / "admin.txt").stat().st_mode) == 0o600
    demo = next(d for d in first.admin().get("/api/datasets/") if d["name"] == "Demo")
    assert demo["counts"]["images"] == 8
    processes = family(first)
    assert len(processes) > 6
    assert first.stop(signal.SIGTERM) == 0
    assert alive(processes) == []

    second = start(var)
    try:
        # How many seconds that are on a quiet machine is a row of the bench.
        assert second.wait_until_ready() < max(10, 1.5 * at_first)
        assert second.password not in second.output  # it is in the file
        assert second.admin().get(f"/api/datasets/{demo['id']}/")["counts"]["images"] == 8
        # A second one on the same folder is told so, and harms nothing.
        third = start(var)
        assert third.process.wait(30) == 1
        assert "already running" in third.output
        assert "Traceback" not in third.output
    finally:
        second.stop(signal.SIGINT)
    assert alive(family_of_folder(var)) == []


def test_what_runs_in_the_background_leaves_the_cores_to_the_page(maskloop):
    for process in family(maskloop):
        command = _command(process)
        if "worker" not in command and "uvicorn" not in command:
            continue
        is_behind = any(queue in command for queue in ("batch", "training"))
        assert process.nice() == (10 if is_behind else 0), command
        weight = Path(f"/proc/{process.pid}/autogroup")
        if weight.exists():
            assert weight.read_text().endswith(" nice 10\n" if is_behind else " nice 0\n"), command


def family_of_folder(var: Path) -> list[psutil.Process]:
    return [p for p in psutil.process_iter() if str(var) in " ".join(_command(p))]


@pytest.mark.parametrize("what", ["celery", "redis-server"])
def test_when_one_process_dies_all_of_them_stop_and_it_is_named(var, what):
    running = start(var, DEMO="0")
    running.wait_until_ready()
    processes = family(running)
    victim = next(p for p in processes if what in " ".join(_command(p)) and p.is_running())
    victim.kill()
    assert running.process.wait(40) == 1
    assert "ended or does not answer" in running.output
    assert alive(processes) == []


def test_even_a_killed_supervisor_leaves_no_web_and_no_worker_behind(var):
    running = start(var, DEMO="0")
    running.wait_until_ready()
    children = psutil.Process(running.process.pid).children()
    running.stop(signal.SIGKILL)
    psutil.wait_procs(children, timeout=20)
    left = [p for p in children if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert [p for p in left if "postgres" not in " ".join(_command(p))] == []
    # PostgreSQL stays until the next start, which takes it over and stops it in the end.
    again = start(var)
    again.wait_until_ready()
    again.stop()
    time.sleep(0.5)
    assert alive(family_of_folder(var)) == []


def test_a_port_that_is_taken_is_one_sentence(var, maskloop):
    running = start(var, port=maskloop.port)
    assert running.process.wait(30) == 1
    assert running.output == f"Port {maskloop.port} is taken; choose another one with PORT=…\n"


@pytest.mark.parametrize("port", ["no number", "99999999", "-1"])
def test_a_port_that_is_none_is_one_sentence(var, port):
    running = start(var, PORT=port)
    assert running.process.wait(30) == 1
    assert running.output == f"PORT is a number from 1 to 65535, not {port!r}.\n"


def launch(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if k not in TEST_SERVERS}
    return subprocess.run(command, cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("missing", ["REDIS_URL", "STORAGE_URL", "SECRET_KEY", "ALLOWED_HOSTS"])
def test_production_refuses_to_start_without_all_that_it_needs(missing):
    given = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1",
        "STORAGE_URL": "s3://bucket/prefix",
        "SECRET_KEY": "x" * 50,
        "ALLOWED_HOSTS": "example.org",
    }
    given.pop(missing)
    done = launch([sys.executable, "manage.py", "check"], **given)
    assert done.returncode != 0
    assert f"Production needs {missing}" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_says_what_is_missing_and_what_is_well(maskloop, tmp_path):
    well = launch([sys.executable, "manage.py", "doctor"], VAR=str(maskloop.var))
    assert well.returncode == 0, well.stdout + well.stderr
    assert "workers live for every queue" in well.stdout
    ill = launch([sys.executable, "manage.py", "doctor"], VAR=str(tmp_path / "empty"))
    assert ill.returncode == 1
    assert "No database is running here; start Maskloop with `make run`." in ill.stdout
    assert "Redis does not answer" in ill.stdout
    assert "Traceback" not in ill.stderr


def test_a_python_that_is_too_old_is_one_sentence():
    code = (
        "import sys; sys.version_info = (3, 9, 2); import backend.launch.install as i; sys.argv = ['i', 'run']; "
        "sys.exit(i.main())"
    )
    done = launch([sys.executable, "-c", code])
    assert done.returncode == 1
    assert done.stderr.startswith("Maskloop needs Python 3.11 or newer")


def test_the_installer_is_readable_by_an_old_python():
    import ast

    for name in ("install", "places", "sentence"):
        source = (ROOT / "backend" / "launch" / f"{name}.py").read_text()
        ast.parse(source, feature_version=(3, 8))


def test_no_network_for_node_is_one_sentence(tmp_path, monkeypatch):
    from backend.launch import install
    from backend.launch.sentence import Sentence

    monkeypatch.setattr(install, "_fits", lambda _: False)
    monkeypatch.setattr(install, "VENV", tmp_path)
    monkeypatch.setattr(install, "LOG", tmp_path / "install.log")
    monkeypatch.setattr(install, "BIN", tmp_path / "bin")
    (tmp_path / "bin").mkdir()
    for tool in ("nodeenv", "pip"):
        script = tmp_path / "bin" / tool
        script.write_text("#!/bin/sh\necho 'Temporary failure in name resolution'; exit 1\n")
        script.chmod(0o755)
    with pytest.raises(Sentence, match="Node could not be fetched, neither from"):
        install.node_path()


def test_a_full_disk_is_one_sentence(var, monkeypatch):
    from backend.launch import supervisor
    from backend.launch.sentence import Sentence

    monkeypatch.setenv("VAR", str(var))
    var.mkdir()
    monkeypatch.setattr(supervisor.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5 << 20}))
    with pytest.raises(Sentence, match="The disk is full: 5 MB are left"):
        supervisor.Supervisor(free_port()).run(open_browser=False)


def test_a_step_of_the_installation_that_fails_says_why_and_where_the_log_is(tmp_path, monkeypatch):
    from backend.launch import install
    from backend.launch.sentence import Sentence

    monkeypatch.setattr(install, "LOG", tmp_path / "install.log")
    for output, reason in (
        ("ENOSPC: x", "the disk is full."),
        ("getaddrinfo ENOTFOUND y", "the network does not answer."),
    ):
        with pytest.raises(Sentence, match=f"It failed: {reason} The log is"):
            install._run(["sh", "-c", f"echo '{output}'; exit 3"], failed="It failed")
