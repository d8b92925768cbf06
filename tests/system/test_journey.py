"""From a photo to a better model to a dataset: in a real browser, with real workers."""

import io
import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Locator, Page, Route, expect
from pycocotools import mask as coco

from backend.insights.demo import DEMO_PHOTOS
from tests.conftest import SHARED_DATA
from tests.system.client import Client, wait_until
from tests.system.conftest import Running, artefact

SLOW_MS = 120_000


@dataclass
class Photo:
    file_name: str
    content: bytes
    click: tuple[float, float]  # on an object, as shares of width and height


def photos() -> list[Photo]:
    """Real photos whose objects are known where they are there; elsewhere the demo's, with a click in the middle."""
    folder = SHARED_DATA / "coco_mix"
    if not folder.is_dir():
        return [Photo(p.file_name, p.content(), (0.5, 0.55)) for p in DEMO_PHOTOS[:6]]
    held_out = json.loads((SHARED_DATA / "splits.json").read_text())["coco_mix_heldout"]
    found = []
    for name in sorted(map(str, held_out)):
        labels = cv2.imread(str(folder / "masks" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        values, counts = np.unique(labels[labels > 0], return_counts=True)
        share = counts.max(initial=0) / labels.size
        if not 0.08 < share < 0.4:
            continue
        inside = np.pad((labels == values[counts.argmax()]).astype(np.uint8), 1)
        y, x = np.unravel_index(cv2.distanceTransform(inside, cv2.DIST_L2, 5).argmax(), inside.shape)
        click = ((x - 0.5) / labels.shape[1], (y - 0.5) / labels.shape[0])
        found.append(Photo(f"{name}.jpg", (folder / "images" / f"{name}.jpg").read_bytes(), click))
        if len(found) == 6:
            break
    return found


def offered(page: Page) -> Locator:
    """The masks that a click may mean."""
    return page.get_by_role("radiogroup", name="Masks offered").get_by_role("radio")


class Person:
    """Somebody at the page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        self.shots = 0

    def shot(self, name: str, *, full_page: bool = False) -> None:
        self.shots += 1
        self.page.screenshot(path=artefact(f"journey-{self.shots:02d}-{name}.png"), full_page=full_page)

    def wait_until_ready(self) -> None:
        expect(self.page.get_by_test_id("decoder")).to_contain_text("in this browser", timeout=SLOW_MS)

    def place(self, share: tuple[float, float], size: tuple[int, int]) -> tuple[float, float]:
        """Where on the screen a share of the photo's width and height is."""
        stage = self.page.get_by_test_id("stage")
        box = stage.bounding_box()
        assert box
        scale, left, top = (float(stage.get_attribute(f"data-{k}") or 0) for k in ("scale", "offset-x", "offset-y"))
        return box["x"] + left + share[0] * size[0] * scale, box["y"] + top + share[1] * size[1] * scale

    def saved(self) -> None:
        expect(self.page.get_by_test_id("saving")).to_have_text("Saved", timeout=20_000)


@pytest.fixture
def person(browser, maskloop: Running):
    context = browser.new_context(viewport={"width": 1280, "height": 720}, accept_downloads=True)
    page = context.new_page()
    someone = Person(page)
    page.goto(maskloop.address)
    page.get_by_label("Name").fill("admin")
    page.locator("input[type=password]").fill(maskloop.password)
    someone.shot("login")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Datasets")).to_be_visible()
    yield someone
    context.close()


@pytest.mark.timeout(900)
def test_from_a_photo_to_a_better_model_to_a_dataset(person: Person, maskloop: Running, tmp_path: Path):
    page, script = person.page, maskloop.admin()
    photo_of = {photo.file_name: photo for photo in photos()}

    # A dataset, and photos in it.
    page.get_by_role("button", name="New dataset").click()
    page.get_by_label("Name").fill("Journey")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Journey")).to_be_visible()
    dataset = page.url.rstrip("/").split("/")[-1]
    # So small a test wants little evidence, and a training run of seconds.
    script.patch(f"/api/datasets/{dataset}/", {"test_images_wanted": 1, "test_masks_wanted": 1})
    script.patch(f"/api/datasets/{dataset}/retrain-policy/", {"recipe": "debug_decoder"})
    files = [{"name": p.file_name, "mimeType": "image/jpeg", "buffer": p.content} for p in photo_of.values()]
    page.locator("input[type=file]").set_input_files(files)
    expect(page.get_by_text(f"0 of {len(files)}", exact=True)).to_be_visible(timeout=30_000)

    # Clicks are answered in the browser; what is accepted is saved; the next photo is there.
    page.get_by_role("link", name="Label photos").click()
    for number in range(3):
        person.wait_until_ready()
        name = page.get_by_role("img").first.get_attribute("aria-label") or ""
        photo = photo_of[name.removeprefix("Photo ")]
        size = next(i for i in images_of(script, dataset) if i["file_name"] == photo.file_name)
        page.mouse.click(*person.place(photo.click, (size["width"], size["height"])))
        expect(offered(page)).to_have_count(3, timeout=20_000)
        person.shot(f"first-click-{number}")
        page.keyboard.press("Tab")
        expect(offered(page).nth(1)).to_be_checked()
        page.keyboard.press("1")
        x, y = person.place(photo.click, (size["width"], size["height"]))
        page.mouse.click(x + 12, y + 6)
        expect(offered(page)).to_have_count(1)
        page.keyboard.press("Control+z")
        expect(offered(page)).to_have_count(3)
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("object-count")).to_have_text("1")
        person.saved()
        page.keyboard.press("Control+Enter")
        if number == 0:
            person.shot("next-photo")
    person.saved()
    page.get_by_role("button", name="← Journey").click()
    expect(page.get_by_text(f"3 of {len(files)}", exact=True)).to_be_visible()
    masks = [mask for i in images_of(script, dataset) for mask in script.get(f"/api/images/{i['id']}/masks/")]
    assert len(masks) == 3
    assert all(mask["origin"] == "assisted" and mask["prompts"] and mask["predicted_iou"] for mask in masks)

    # A Celery worker trains, and the gate compares; by one test photo it decides nothing.
    page.get_by_role("link", name="Loop", exact=True).click()
    page.get_by_role("button", name="Retrain", exact=True).click()
    asked = page.get_by_role("dialog")
    asked.get_by_label("Seed").fill("7")
    asked.get_by_role("button", name="Retrain", exact=True).click()
    newest = page.get_by_test_id("newest-run")
    expect(newest.get_by_text("Insufficient evidence")).to_be_visible(timeout=2 * SLOW_MS)
    expect(newest.get_by_text("mIoU after 1 click", exact=True)).to_be_visible()
    (run,) = script.get(f"/api/datasets/{dataset}/training-runs/")
    assert (run["recipe"], run["seed"]) == ("debug_decoder", 7)
    person.shot("gate", full_page=True)

    # Masks appear on the remaining photos.
    page.get_by_role("button", name="Label automatically").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Look at 20 photos first").click()
    expect(dialog.get_by_role("img").first).to_be_visible(timeout=3 * SLOW_MS)
    dialog.get_by_role("button", name=re.compile(r"^Label \d")).click()
    expect(page.get_by_test_id("autolabel-run")).to_have_attribute("data-state", "done", timeout=3 * SLOW_MS)
    automatic = [i for i in images_of(script, dataset) if i["status"] == "automatic"]
    assert automatic, "no photo got an automatic mask"
    page.get_by_role("link", name="Photos", exact=True).click()
    expect(page.get_by_role("link", name=f"{automatic[0]['file_name']}: Automatic")).to_be_visible()
    person.shot("automatic", full_page=True)

    # Tar shards that pycocotools reads.
    page.get_by_role("link", name="Releases", exact=True).click()
    page.get_by_role("button", name="Release", exact=True).click()
    expect(page.get_by_test_id("release")).to_have_attribute("data-state", "ready", timeout=SLOW_MS)
    with page.expect_download() as download:
        page.get_by_role("link", name="sa_000000.tar").click()
    shard = tmp_path / "shard.tar"
    download.value.save_as(shard)
    person.shot("release", full_page=True)
    stored = {mask["id"]: mask["counts"] for mask in masks}
    seen = 0
    with tarfile.open(shard) as tar:
        for member in tar:
            content = tar.extractfile(member).read()
            if not member.name.endswith(".json"):
                assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) is not None
                continue
            for annotation in json.load(io.BytesIO(content))["annotations"]:
                assert coco.decode(annotation["segmentation"]).sum() == annotation["area"]
                seen += 1
                if annotation["maskloop_uuid"] in stored:
                    assert annotation["segmentation"]["counts"] == stored.pop(annotation["maskloop_uuid"])
    assert not stored, "masks of people are missing in the release"
    assert seen > 3
    goes_back_to_what_is_chosen(person, f"{maskloop.address}/datasets/{dataset}", script, dataset)
    assert person.problems == []


def goes_back_to_what_is_chosen(person: Person, address: str, script: Client, dataset: str) -> None:
    """Two models side by side, each chosen while the figures of the other are on their way: the one named goes live."""
    page = person.page
    models = {one["id"]: one for one in script.get(f"/api/datasets/{dataset}/checkpoints/")}
    live = next(i for i, one in models.items() if any(d["until"] is None for d in one["deployments"]))
    other = next(i for i in models if i != live)
    page.goto(f"{address}/compare?left={other}&right={live}")
    left, right = (page.get_by_role("combobox", name=name) for name in ("Left", "Right"))
    expect(left).to_have_value(other)
    held: list[Route] = []
    page.route("**/compare/?**", lambda route: held.append(route))
    left.select_option(live)
    right.select_option(other)
    expect(page).to_have_url(f"{address}/compare?left={live}&right={other}")
    for route in held:
        route.continue_()
    page.unroute("**/compare/?**")
    side = page.get_by_role("region", name="Right")
    side.get_by_role("button", name=re.compile("Roll back to this|Make live")).click()
    expect(side.get_by_text("Live", exact=True)).to_be_visible()
    person.shot("compared", full_page=True)
    newest = script.get(f"/api/datasets/{dataset}/checkpoints/")
    assert [one["id"] for one in newest if any(d["until"] is None for d in one["deployments"])] == [other]


def images_of(script: Client, dataset: str) -> list[dict]:
    return script.get(f"/api/datasets/{dataset}/images/?page_size=100")["results"]


def test_what_was_not_saved_survives_a_reload(person: Person, maskloop: Running, new_dataset):
    page, script = person.page, maskloop.admin()
    dataset = new_dataset(1)  # not the demo's, which another test's window may have had open a moment ago
    page.goto(f"{maskloop.address}/datasets/{dataset}")
    page.get_by_role("link", name="Label photos").click()
    person.wait_until_ready()
    page.context.route("**/api/masks/**", lambda route: route.abort())  # the network is gone
    stage = page.get_by_test_id("stage").bounding_box()
    page.mouse.click(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    expect(offered(page)).to_have_count(3, timeout=20_000)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("saving")).to_contain_text("Not saved yet (1)")
    person.shot("offline")
    page.context.unroute("**/api/masks/**")
    photo = page.get_by_role("img").first.get_attribute("aria-label").removeprefix("Photo ")
    page.reload()
    expect(page.get_by_test_id("object-count")).to_have_text("1", timeout=SLOW_MS)
    person.saved()
    image = next(i for i in images_of(script, dataset) if i["file_name"] == photo)
    wait_until("the mask", lambda: script.get(f"/api/images/{image['id']}/masks/") or None, 20)


def test_the_stream_tells_what_changes(person: Person, maskloop: Running, jpeg):
    page, script = person.page, maskloop.admin()
    dataset = script.post("/api/datasets/", {"name": "Live"})["id"]
    page.goto(f"{maskloop.address}/datasets/{dataset}")
    expect(page.get_by_text("0 of 0", exact=True)).to_be_visible()
    script.upload(f"/api/datasets/{dataset}/upload/", {"a.jpg": jpeg()})
    expect(page.get_by_text("0 of 1", exact=True)).to_be_visible(timeout=10_000)
