"""All of Maskloop as `make run` starts it: supervisor, servers, web, workers, beat. And a browser."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from backend.launch.install import chromium
from backend.launch.places import ROOT
from tests.system.client import Client

READY = re.compile(r"^Maskloop is ready: (http://127\.0\.0\.1:\d+)$", re.MULTILINE)
SWITCHES = ("no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking")
# How long a page may take where models run beside it on the same two cores. No test proves a speed by it.
expect.set_options(timeout=15_000)
ARGUMENTS = [f"--{switch}" for switch in (*SWITCHES, "disable-component-update", "disable-sync")]


@dataclass
class Running:
    """A Maskloop of its own, on a folder of its own."""

    var: Path
    port: int
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    _admin: Client | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        return "".join(self.lines)

    @property
    def password(self) -> str:
        found = re.search(r"^password: (\S+)$", (self.var / "admin.txt").read_text(), re.MULTILINE)
        assert found
        return found.group(1)

    def wait_until_ready(self, seconds: float = 120) -> float:
        """Returns the seconds it took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if READY.search(self.output):
                return time.monotonic() - began
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"not ready:\n{self.output}")

    def stop(self, number: int = signal.SIGTERM, seconds: float = 30) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)

    def admin(self) -> Client:
        """Logged in once: who logs in for every test is taken for somebody who guesses passwords."""
        self._admin = self._admin or Client(self.address, "admin", self.password)
        return self._admin


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(var: Path, port: int | None = None, **environment: str) -> Running:
    """Start one without waiting."""
    port = port or free_port()
    kept = {k: v for k, v in os.environ.items() if k not in TEST_SERVERS}
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.launch"],
        cwd=ROOT,
        env={**kept, "VAR": str(var), "PORT": str(port), "OPEN": "0", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    running = Running(var, port, process)
    assert process.stdout is not None

    def read() -> None:
        for line in process.stdout or ():
            running.lines.append(line)

    threading.Thread(target=read, daemon=True).start()
    return running


#: What `tests.environment` says is for tests of the backend alone.
TEST_SERVERS = (
    "DATABASE_URL",
    "REDIS_URL",
    "STORAGE_URL",
    "SECRET_KEY",
    "MASKLOOP_LOCAL",
    "VAR",
    "DJANGO_SETTINGS_MODULE",
)


def world_readable(folder: Path) -> Path:
    """PostgreSQL does not run as root: its user has to get through to the folder."""
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    return folder


@pytest.fixture(scope="package")
def maskloop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    var = world_readable(tmp_path_factory.mktemp("maskloop"))
    running = start(var, DETECTOR_STEPS="60", PROPOSALS_AHEAD="5", LOTS_SEED="0")
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.stop()
        artefact("maskloop.log").write_text(running.output)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield launched
        launched.close()


def artefact(name: str) -> Path:
    """A file to look at after the tests."""
    folder = ROOT / "tests" / "artefacts"
    folder.mkdir(exist_ok=True)
    return folder / name


def log_in(page: Page, maskloop: Running) -> None:
    page.goto(maskloop.address)
    page.get_by_label("Name").fill("admin")
    page.locator("input[type=password]").fill(maskloop.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Datasets")).to_be_visible()


def joined(browser: Browser, maskloop: Running, script: Client, dataset: str, name: str) -> Page:
    """The workspace of somebody new, who came by a link."""
    token = script.post(f"/api/datasets/{dataset}/invitations/", {"role": "annotator"})["token"]
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    person = {"username": f"{name}-{dataset[-6:]}", "password": "a long password"}
    context.request.get(f"{maskloop.address}/api/session/")
    (signed,) = [cookie["value"] for cookie in context.cookies() if cookie["name"] == "csrftoken"]
    headers = {"X-CSRFToken": signed, "Referer": maskloop.address}
    accept = f"{maskloop.address}/api/invited/accept/"
    reply = context.request.post(accept, data={"token": token, **person}, headers=headers)
    assert reply.ok, reply.text()
    page = context.new_page()
    page.goto(f"{maskloop.address}/datasets/{dataset}/label")
    return page


@pytest.fixture(scope="package")
def script(maskloop: Running) -> Client:
    return maskloop.admin()


@pytest.fixture(scope="package")
def cookies(browser: Browser, maskloop: Running) -> Any:
    """Of somebody who has logged in."""
    context = browser.new_context()
    log_in(context.new_page(), maskloop)
    kept = context.cookies()
    context.close()
    return kept


@pytest.fixture
def new_dataset(script: Client, jpeg: Callable[..., bytes]) -> Callable[[int], str]:
    """Photos of shapes, 240 x 160; returns the dataset's id."""

    def make(photos: int) -> str:
        dataset = script.post("/api/datasets/", {"name": f"Safety {uuid4()}"})["id"]
        files = {f"{n}.jpg": jpeg(width=240, height=160, seed=n) for n in range(photos)}
        script.upload(f"/api/datasets/{dataset}/upload/", files)
        return dataset

    return make


@pytest.fixture
def new_browser(browser: Browser, maskloop: Running, cookies: Any) -> Iterator[Callable[[str], Page]]:
    """The workspace, open in a browser that has nothing in it but a login."""
    opened: list[BrowserContext] = []

    def open_one(dataset: str) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        opened.append(context)
        context.add_cookies(cookies)
        page = context.new_page()
        page.goto(f"{maskloop.address}/datasets/{dataset}/label")
        return page

    yield open_one
    for context in opened:
        context.close()
