"""python -m tests.screens [NAME ...]: pictures of every page and state, in docs/screens. Which: see `pages.py`.

It starts a Maskloop of its own with the demo's photos, works in it as people do until there is something to see, takes the
pictures at each size, and makes them small. Names limit it to some of the screens.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image as Pillow
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect, sync_playwright

from backend.launch.install import chromium
from backend.launch.places import ROOT
from tests.screens.pages import SCREENS, WAIT_MS, Screen, click, photo
from tests.system.client import Client, wait_until
from tests.system.conftest import ARGUMENTS, Running, start, world_readable

OUT = ROOT / "docs" / "screens"
SIZES = {"1280x720": (1280, 720), "1920x1080": (1920, 1080), "tablet": (834, 1112)}
MOST_BYTES = 6_000_000
COLOURS = (192, 96, 48, 24)  # fewer, until all of them together are small enough
BY_HAND = 3


def main(names: list[str]) -> int:
    if unknown := set(names) - {screen.name for screen in SCREENS}:
        print(f"There is no screen {', '.join(sorted(unknown))}; see tests/screens/pages.py.", file=sys.stderr)
        return 1
    chosen = [screen for screen in SCREENS if not names or screen.name in names]
    var = world_readable(Path(tempfile.mkdtemp(prefix="maskloop-screens-")))
    running = start(var)
    try:
        running.wait_until_ready()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            session = log_in(browser, running)
            places = prepare(browser, running, session)
            taken = {
                f"{screen.name}-{size}.png": content
                for size in SIZES
                for screen, content in take(browser, running, chosen, size, places, session)
            }
            browser.close()
    finally:
        running.stop()
        shutil.rmtree(var, ignore_errors=True)
    OUT.mkdir(parents=True, exist_ok=True)
    if not names:  # what no screen makes any more goes
        for old in OUT.glob("*.png"):
            old.unlink()
    for name, content in small(taken).items():
        (OUT / name).write_bytes(content)
    print(f"{len(taken)} pictures in {OUT.relative_to(ROOT)}")
    return 0


def prepare(browser: Browser, running: Running, session: StorageState) -> dict[str, str]:
    """Work until there is something to see. Returns what stands in addresses."""
    script = running.admin()
    dataset = next(one["id"] for one in script.get("/api/datasets/") if one["name"] == "Demo")
    context = opened(browser, "1280x720", session)
    label(context.new_page(), f"{running.address}/datasets/{dataset}/label")
    context.close()
    of_dataset = f"/api/datasets/{dataset}"
    script.patch(f"{of_dataset}/retrain-policy/", {"recipe": "debug_decoder"})
    script.post(f"{of_dataset}/training-runs/")
    finished(script, f"{of_dataset}/training-runs/", "done", "failed")
    script.post(f"{of_dataset}/autolabel-runs/")
    finished(script, f"{of_dataset}/autolabel-runs/", "done", "failed", "cancelled")
    script.post(f"{of_dataset}/releases/", {"format": "sa1b"})
    finished(script, f"{of_dataset}/releases/", "ready", "failed")
    invitation = script.post(f"{of_dataset}/invitations/", {"role": "reviewer", "note": "Ada"})
    photos = script.get(f"{of_dataset}/images/?name=coffee")["results"]
    return {"dataset": dataset, "token": invitation["token"], "image": photos[0]["id"]}


def label(page: Page, address: str) -> None:
    """A click on each of a few photos, as somebody would."""
    page.goto(address)
    for _ in range(BY_HAND):
        photo(page)
        click(page)
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("object-count")).to_have_text("1")
        expect(page.get_by_test_id("saving")).to_have_text("Saved", timeout=WAIT_MS)
        name = page.get_by_role("img").first.get_attribute("aria-label") or ""
        page.wait_for_timeout(1000)  # who submits faster than a photo can be looked at is not believed
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("img", name=name, exact=True)).to_have_count(0, timeout=WAIT_MS)
    expect(page.get_by_test_id("saving")).to_have_text("Saved", timeout=WAIT_MS)


def finished(script: Client, path: str, *states: str) -> None:
    wait_until(path, lambda: script.get(path)[0]["state"] in states or None, 600)


def log_in(browser: Browser, running: Running) -> StorageState:
    """Once: who logs in for every picture is taken for somebody who guesses passwords."""
    context = opened(browser, "1280x720")
    page = context.new_page()
    page.goto(running.address)
    page.get_by_label("Name").fill("admin")
    page.locator("input[type=password]").fill(running.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Datasets")).to_be_visible()
    session = context.storage_state()
    context.close()
    return session


def opened(browser: Browser, size: str, session: StorageState | None = None) -> BrowserContext:
    """A browser of somebody who is logged in, or of nobody."""
    width, height = SIZES[size]
    return browser.new_context(
        viewport={"width": width, "height": height}, reduced_motion="reduce", storage_state=session
    )


def take(
    browser: Browser,
    running: Running,
    screens: list[Screen],
    size: str,
    places: dict[str, str],
    session: StorageState,
) -> list[tuple[Screen, bytes]]:
    taken = []
    for screen in screens:
        # Each begins anew: what one leaves unsaved, or cuts off, is not the next one's.
        context = opened(browser, size, session if screen.is_logged_in else None)
        page = context.new_page()
        page.goto(running.address + screen.address.format(**places))
        screen.lead_to(page)
        still(page)
        taken.append((screen, page.screenshot()))
        context.close()
        print(f"{screen.name} {size}", flush=True)
    return taken


def still(page: Page) -> None:
    """Wait until nothing is on its way: answers, pictures, fading."""
    expect(page.get_by_label("Loading")).to_have_count(0, timeout=WAIT_MS)
    page.wait_for_timeout(600)  # pictures are asked for when lists have come
    # Not wait_for_function, which evaluates text: the page's own policy forbids that.
    page.evaluate(
        "Promise.all([...document.images].map(one => one.complete || new Promise(go => { one.onload = one.onerror = go })))"
    )
    page.evaluate(
        "Promise.all(document.getAnimations().map(one => Promise.race([one.finished.catch(() => {}), new Promise(go => "
        "setTimeout(go, 1000))])))"
    )


def small(pictures: dict[str, bytes]) -> dict[str, bytes]:
    """With as many colours as fit."""
    made = pictures
    for colours in COLOURS:
        made = {name: _quantised(content, colours) for name, content in pictures.items()}
        if sum(map(len, made.values())) <= MOST_BYTES:
            break
    return made


def _quantised(content: bytes, colours: int) -> bytes:
    with Pillow.open(io.BytesIO(content)) as picture:
        out = io.BytesIO()
        flat = picture.convert("RGB").quantize(colours, dither=Pillow.Dither.NONE)
        flat.save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
