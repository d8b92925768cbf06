"""The workspace in Chromium without a GPU: the main thread while a hand pans, zooms and brushes, a click's way to its mask, the
way from one photo to the next, and what a page holds after many photos.

A frame's main-thread time is everything that ran on the page's main thread from one frame's beginning to the next one's, from
Chromium's own trace: once as the clock on the wall has it, and once as the thread's own clock, which stands still while other
threads have the core. Photos and masks are the bench's; server, page and model are what `make run` starts.
"""

import gc
import io
import itertools
import json
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Error, Page, Playwright, ViewportSize, expect, sync_playwright

from backend.insights.demo import DEMO_PHOTOS
from backend.launch.install import chromium
from engine import masks as run_lengths
from tests.bench.table import Table
from tests.system.client import Client, wait_until
from tests.system.conftest import ARGUMENTS, Running, start, world_readable

MEGAPIXELS = (1, 12, 50)
MASKS = (1, 50, 200)
STEPS = 60
CLICKS = 20
NEXT_PHOTOS = 60
PHOTOS = 200
FEW_PHOTOS = 20
BUDGET_MS = 8
WINDOW: ViewportSize = {"width": 1280, "height": 720}


@dataclass(frozen=True)
class Opened:
    """A photo in the workspace."""

    page: Page
    browser: Browser
    width: int
    height: int

    @property
    def stage(self) -> tuple[float, float, float, float]:
        box = self.page.get_by_test_id("stage").bounding_box()
        assert box
        return box["x"], box["y"], box["width"], box["height"]

    def centre(self) -> tuple[float, float]:
        x, y, width, height = self.stage
        return x + width / 2, y + height / 2


def workspace_rows(table: Table) -> None:
    with tempfile.TemporaryDirectory() as name:
        var = world_readable(Path(name))
        running = start(var)
        try:
            running.wait_until_ready()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
                frame_rows(table, running, browser)
                journey_rows(table, running, browser)
                browser.close()
            memory_row(table, running, var)
        finally:
            running.stop()


def frame_rows(table: Table, running: Running, browser: Browser) -> None:
    script = running.admin()
    for megapixels in MEGAPIXELS:
        dataset = new_dataset(script, f"{megapixels} megapixels")
        script.upload(f"/api/datasets/{dataset}/upload/", {"photo.jpg": a_photo(megapixels)})
        images = f"/api/datasets/{dataset}/images/"
        image = wait_until("the photo", lambda: next(iter(script.get(images)["results"]), None))  # noqa: B023
        lease = script.post(f"/api/images/{image['id']}/open/")["id"]
        random = np.random.default_rng(0)
        there = 0
        for masks in MASKS:
            for mask in some_masks(masks - there, image["height"], image["width"], random):
                body = {"assignment": lease, "origin": "brush", "prompts": [], **run_lengths.encode(mask)}
                script.put(f"/api/masks/{uuid4()}/", body)
            there = masks
            gc.collect()
            where = f"{megapixels} megapixels, {masks} mask{'s' * (masks > 1)}"
            with opened(running, browser, dataset, image, masks) as photo:
                for what, gesture in GESTURES.items():
                    frames = main_thread_ms(photo, lambda: gesture(photo))  # noqa: B023
                    late = sum(frame.thread > BUDGET_MS for frame in frames) / len(frames)
                    table.add(
                        f"main thread a frame, {what}, {where}",
                        [frame.thread / 1000 for frame in frames],
                        "by the clock on the wall",
                        [frame.wall / 1000 for frame in frames],
                        budget=f"{BUDGET_MS} ms; {late:.0%} of {len(frames)} frames over",
                    )
                budget = "50 ms, 95% 100 ms (1.5 megapixels)"
                table.add(f"a click to its painted mask, {where}", click_seconds(photo), budget=budget)


def journey_rows(table: Table, running: Running, browser: Browser) -> None:
    """Label photo after photo: how soon the next one can be clicked."""
    script = running.admin()
    dataset = many_photos(script, NEXT_PHOTOS + 2)
    page = logged_in(running, browser.new_context(viewport=WINDOW).new_page())
    page.goto(f"{running.address}/datasets/{dataset}/label")
    page.evaluate(WATCH_NEXT)
    for number in range(1, NEXT_PHOTOS + 1):
        expect(page.get_by_test_id("decoder")).to_contain_text("in this browser", timeout=120_000)
        page.mouse.click(560, 380)
        offered = page.get_by_role("radiogroup", name="Masks offered").get_by_role("radio")
        expect(offered).not_to_have_count(0, timeout=60_000)
        page.wait_for_function(NEXT_IS_READY, timeout=120_000)
        page.wait_for_timeout(450)  # a photo that nobody has looked at is not submitted
        page.keyboard.press("Control+Enter")
        page.wait_for_function("n => arrived.length === n", arg=number, timeout=60_000)
    arrived = [float(ms) / 1000 for ms in page.evaluate("arrived")]
    table.add("key press to the next photo, ready to be clicked", arrived, budget="100 ms")
    page.context.close()


#: Photo and embedding, before they are asked for.
NEXT_IS_READY = "() => Number(document.querySelector('[data-testid=workspace]').dataset.ahead) > 0"

#: Milliseconds from the key press until another photo is there, its name and its pixels, and the model is ready for it.
WATCH_NEXT = """() => {
    window.arrived = []
    const name = () => document.querySelector('[role=img]')?.ariaLabel
    const isReady = () => document.querySelector('[data-testid=decoder]')?.textContent.includes('in this browser')
    let [since, before] = [null, null]
    addEventListener('keydown', event => {
        if (event.key === 'Enter' && event.ctrlKey) [since, before] = [event.timeStamp, name()]
    }, true)
    const look = now => {
        // What a frame's callbacks find is on the screen with that frame.
        if (since !== null && name() && name() !== before && isReady()) {
            arrived.push(now - since)
            since = null
        }
        requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
}"""


def memory_row(table: Table, running: Running, folder: Path) -> None:
    """Whether the page holds ever more, photo after photo.

    In a browser that nobody inspects: an inspector has every response kept for it, a megabyte a photo. So a script in the page
    does what the hand does, and the server and the system say how far it is and how much it holds.
    """
    script = running.admin()
    dataset = many_photos(script, PHOTOS + 2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    profile = folder / "profile"
    switches = [
        "--headless=new",
        f"--remote-debugging-port={port}",
        f"--user-data-dir={profile}",
        "--window-size=1280,800",
    ]
    process = subprocess.Popen([chromium(), *ARGUMENTS, *switches, "about:blank"], stderr=subprocess.DEVNULL)
    try:
        with sync_playwright() as playwright:
            browser = wait_until("Chromium", lambda: _connected(playwright, port))
            page = logged_in(running, browser.contexts[0].pages[0])
            page.goto(f"{running.address}/datasets/{dataset}/label")
            page.evaluate(LABEL_ON)
            browser.close()  # only the connection
        held = {}
        for number in (FEW_PHOTOS, PHOTOS):
            counts = f"/api/datasets/{dataset}/"
            is_far = lambda: script.get(counts)["counts"]["annotated"] >= number or None  # noqa: B023, E731
            wait_until(f"{number} photos", is_far, timeout_seconds=600)
            held[number] = renderer_mib(profile)
    finally:
        process.terminate()
        process.wait()
    table.told(
        f"memory of the page's process after {PHOTOS} photos",
        f"{held[PHOTOS]:.0f} MiB",
        f"after {FEW_PHOTOS} photos",
        f"{held[FEW_PHOTOS]:.0f} MiB",
        f"{held[PHOTOS] / held[FEW_PHOTOS]:.2f}x",
        "flat",
    )


def _connected(playwright: Playwright, port: int) -> Browser | None:
    try:
        return playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
    except Error:
        return None  # it has not started yet


#: Click in the middle, wait for the masks offered and for the next photo, look at it for a moment, submit.
LABEL_ON = """() => {
    const until = async is => { while (!is()) await new Promise(resolve => setTimeout(resolve, 30)) }
    const name = () => document.querySelector('[role=img]')?.ariaLabel
    const at = selector => document.querySelector(selector)
    const label = async () => {
        await until(() => at('[data-testid=decoder]')?.textContent.includes('in this browser'))
        const box = at('[data-testid=stage]').getBoundingClientRect()
        const [clientX, clientY] = [box.x + box.width / 2, box.y + box.height / 2]
        const under = document.elementFromPoint(clientX, clientY)
        const point = (kind, buttons) => under.dispatchEvent(new PointerEvent(kind, {
            clientX, clientY, buttons, button: 0, pointerId: 1, pointerType: 'mouse', isPrimary: true, bubbles: true,
        }))
        point('pointermove', 0)
        point('pointerdown', 1)
        point('pointerup', 0)
        await until(() => at('[role=radio]'))
        await until(() => Number(at('[data-testid=workspace]').dataset.ahead) > 0)
        await new Promise(resolve => setTimeout(resolve, 450))
        const before = name()
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', ctrlKey: true, bubbles: true }))
        await until(() => name() && name() !== before)
        void label()
    }
    void label()
}"""


def renderer_mib(profile: Path) -> float:
    """Resident memory of the largest renderer process of the browser with this profile."""
    pages = [0]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text()
            if "--type=renderer" in command and f"--user-data-dir={profile}" in command:
                pages.append(int((folder / "statm").read_text().split()[1]))
        except OSError:
            continue  # it has ended meanwhile
    return max(pages) * 4096 / 2**20


def many_photos(script: Client, count: int) -> str:
    """A dataset with so many of 1.5 megapixels."""
    dataset = new_dataset(script, "Photo after photo")
    for first in range(0, count, 25):
        numbers = range(first, min(first + 25, count))
        script.upload(f"/api/datasets/{dataset}/upload/", {f"{n:03d}.jpg": a_photo(1.5, seed=n) for n in numbers})
    return dataset


def a_photo(megapixels: float, seed: int = 0) -> bytes:
    """A real photo, blown up, with grain: what a decoder and a resampler have to do with is a photo's."""
    with Image.open(io.BytesIO(DEMO_PHOTOS[seed % len(DEMO_PHOTOS)].content())) as picture:
        width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
        large = picture.convert("RGB").resize((width, round(width * 3 / 4)), Image.Resampling.BICUBIC)
    pixels = np.asarray(large).astype(np.int16)
    grain = np.random.default_rng(seed).integers(-6, 7, (256, 256, 1), np.int16)
    tiles = (-(-pixels.shape[0] // 256), -(-pixels.shape[1] // 256), 1)
    pixels += np.tile(grain, tiles)[: pixels.shape[0], : pixels.shape[1]]
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=88)
    return out.getvalue()


def some_masks(count: int, height: int, width: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Blobs with uneven borders, from a fiftieth to a fifth of the photo wide."""
    for _ in range(count):
        mask = np.zeros((height, width), bool)
        radius = width * random.uniform(0.02, 0.1)
        x, y = random.uniform(radius, width - radius), random.uniform(radius, height - radius)
        reach = int(radius * 1.3)
        top, left = max(0, int(y) - reach), max(0, int(x) - reach)
        ys, xs = np.mgrid[top : min(height, int(y) + reach), left : min(width, int(x) + reach)]
        angle = np.arctan2(ys - y, xs - x)
        waves = sum(random.uniform(0, 0.08) * np.sin(k * angle + random.uniform(0, 6)) for k in (2, 3, 5, 9, 17))
        mask[top : top + len(ys), left : left + ys.shape[1]] = np.hypot(xs - x, ys - y) < radius * (1 + waves)
        yield mask


def new_dataset(script: Client, name: str) -> str:
    return str(script.post("/api/datasets/", {"name": f"{name} {uuid4().hex[:6]}"})["id"])


def logged_in(running: Running, page: Page) -> Page:
    page.goto(running.address)
    page.get_by_label("Name").fill("admin")
    page.locator("input[type=password]").fill(running.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Datasets")).to_be_visible()
    return page


@contextmanager
def opened(running: Running, browser: Browser, dataset: str, image: dict[str, Any], masks: int) -> Iterator[Opened]:
    """A photo with so many masks, in the workspace and drawn."""
    page = logged_in(running, browser.new_context(viewport=WINDOW).new_page())
    try:
        page.goto(f"{running.address}/datasets/{dataset}/label?image={image['id']}")
        expect(page.get_by_test_id("object-count")).to_have_text(str(masks), timeout=120_000)
        expect(page.get_by_test_id("decoder")).to_contain_text("in this browser", timeout=180_000)
        page.wait_for_selector("[data-drawn]", timeout=60_000)
        page.wait_for_timeout(1500)
        yield Opened(page, browser, image["width"], image["height"])
    finally:
        page.context.close()


def pan(photo: Opened) -> None:
    """At twice the fitted size, with the middle button."""
    x, y = photo.centre()
    photo.page.mouse.move(x, y)
    photo.page.mouse.wheel(0, -460)
    photo.page.wait_for_timeout(400)
    photo.page.mouse.down(button="middle")
    for step in range(STEPS):
        angle = step / 7
        photo.page.mouse.move(x + 240 * np.sin(angle), y + 140 * np.sin(1.3 * angle))
    photo.page.mouse.up(button="middle")
    photo.page.keyboard.press("0")


def zoom(photo: Opened) -> None:
    x, y = photo.centre()
    photo.page.mouse.move(x - 60, y + 30)
    for step in range(STEPS):
        photo.page.mouse.wheel(0, -55 if step < STEPS // 2 else 55)
    photo.page.keyboard.press("0")


def brush(photo: Opened) -> None:
    """A long stroke, given up at its end."""
    x, y = photo.centre()
    photo.page.keyboard.press("b")
    photo.page.mouse.move(x, y)
    photo.page.mouse.down()
    for step in range(STEPS):
        angle = step / 7
        photo.page.mouse.move(x + 3 * step * np.cos(angle), y + 2 * step * np.sin(angle))
    photo.page.mouse.up()
    photo.page.keyboard.press("Escape")
    photo.page.keyboard.press("q")


GESTURES: dict[str, Callable[[Opened], None]] = {"panning": pan, "zooming": zoom, "brushing": brush}


class Frame(NamedTuple):
    """Milliseconds of work."""

    wall: float
    thread: float


def main_thread_ms(photo: Opened, gesture: Callable[[], None]) -> list[Frame]:
    """Of each frame while the gesture goes on."""
    categories = ["toplevel", "devtools.timeline", "devtools.timeline.frame", "__metadata"]
    photo.page.wait_for_timeout(300)
    photo.browser.start_tracing(page=photo.page, categories=categories)
    gesture()
    trace = json.loads(photo.browser.stop_tracing())
    return frames_of(trace["traceEvents"])


def frames_of(events: list[dict[str, Any]]) -> list[Frame]:
    """Work on the page's main thread from each frame's beginning to the next one's."""
    mains = {
        (e["pid"], e["tid"]) for e in events if e["name"] == "thread_name" and e["args"]["name"] == "CrRendererMain"
    }
    begins: dict[tuple[int, int], list[float]] = {}
    tasks: dict[tuple[int, int], list[tuple[float, float, float]]] = {}
    for event in events:
        thread = (event["pid"], event["tid"])
        if thread not in mains:
            continue
        if event["name"] == "FireAnimationFrame" or event["name"] == "BeginMainThreadFrame":
            begins.setdefault(thread, []).append(event["ts"])
        elif event["name"].endswith("RunTask") and event.get("dur"):
            tasks.setdefault(thread, []).append((event["ts"], event["dur"], event.get("tdur", 0)))
    page = max(begins, key=lambda thread: len(begins[thread]))
    starts = sorted(begins[page])
    # Several callbacks may run in one frame, within its one task.
    firsts = [now for before, now in itertools.pairwise([-1e9, *starts]) if now - before > 2000]
    ours = sorted(tasks[page])
    frames = []
    for first, last in itertools.pairwise(firsts):
        own = [(dur, tdur) for at, dur, tdur in ours if first <= at + dur / 2 < last]
        frames.append(Frame(sum(dur for dur, _ in own) / 1000, sum(tdur for _, tdur in own) / 1000))
    return frames


def click_seconds(photo: Opened) -> list[float]:
    """From the button's coming up to the frame that shows the mask."""
    page = photo.page
    page.evaluate(
        """() => {
            window.painted = []
            let [since, answered] = [null, false]
            addEventListener('pointerup', () => { [since, answered] = [performance.now(), false] }, true)
            new MutationObserver(records => {
                if (since === null) return
                if (document.querySelector('[role=radio]')) answered ||= true
                if (answered && records.some(r => r.attributeName === 'data-drawn')) {
                    painted.push((performance.now() - since) / 1000)
                    since = null
                }
            }).observe(document.body, { subtree: true, childList: true, attributeFilter: ['data-drawn'] })
        }"""
    )
    page.keyboard.press("Shift+Q")  # without the preview under the hand, which would have the answer before the click
    x, y, width, height = photo.stage
    random = np.random.default_rng(0)
    for number in range(CLICKS + 1):
        px, py = random.uniform(0.3, 0.7, 2)
        page.mouse.move(x + width * px, y + height * py)
        page.wait_for_timeout(250)
        page.mouse.down()
        page.mouse.up()
        page.wait_for_function("n => painted.length === n", arg=number + 1, timeout=30_000)
        page.keyboard.press("Escape")
        page.wait_for_timeout(150)
    seconds = page.evaluate("painted")
    return [float(s) for s in seconds[1:]]
