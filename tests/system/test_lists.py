"""Lists, and what fills them: masks that exist already, and the way back to where one was."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image as Pillow
from playwright.sync_api import Page, Route, expect
from pycocotools import mask as coco

from tests.system.client import Client, wait_until
from tests.system.conftest import Running, artefact, joined

MANY = 60


@pytest.fixture
def page(browser: Any, cookies: Any) -> Any:
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.add_cookies(cookies)
    yield context.new_page()
    context.close()


@pytest.fixture
def new_dataset(script: Client, jpeg: Callable[..., bytes]) -> Callable[[int], str]:
    def make(photos: int) -> str:
        dataset = script.post("/api/datasets/", {"name": f"Lists {uuid4()}"})["id"]
        files = {f"{n:02}.jpg": jpeg(width=48, height=32, seed=n) for n in range(photos)}
        script.upload(f"/api/datasets/{dataset}/upload/", files)
        return dataset

    return make


def test_masks_that_exist_are_imported_in_the_page_and_each_refusal_is_named(
    page: Page, maskloop: Running, script: Client, new_dataset: Callable[[int], str]
) -> None:
    dataset = new_dataset(1)
    labels = np.zeros((32, 48), np.uint8)
    labels[4:9, 4:9], labels[20:30, 20:40] = 1, 7
    png = io.BytesIO()
    Pillow.fromarray(labels).save(png, "PNG")
    page.goto(f"{maskloop.address}/datasets/{dataset}/import")
    page.get_by_label("Files of masks", exact=True).set_input_files(
        [
            {"name": "00.png", "mimeType": "image/png", "buffer": png.getvalue()},
            {"name": "nobody.png", "mimeType": "image/png", "buffer": png.getvalue()},
            {"name": "coco.json", "mimeType": "application/json", "buffer": b"[]"},
        ]
    )
    report = page.get_by_test_id("mask-upload")
    expect(report).to_contain_text("3 of 3 files, 2 masks new, 2 refused")
    expect(report.get_by_role("row", name="nobody.png")).to_contain_text("there is no such photo in the dataset")
    expect(report.get_by_role("row", name="coco.json")).to_contain_text("is not a COCO json")
    page.screenshot(path=artefact("masks-imported.png"), full_page=True)
    (photo,) = script.get(f"/api/datasets/{dataset}/images/")["results"]
    stored = script.get(f"/api/images/{photo['id']}/masks/")
    assert sorted((mask["area"], mask["origin"]) for mask in stored) == [(25, "imported"), (200, "imported")]


def test_back_leads_to_the_place_in_the_gallery_that_was_left(
    page: Page, maskloop: Running, new_dataset: Callable[[int], str]
) -> None:
    dataset = new_dataset(MANY)
    page.goto(f"{maskloop.address}/datasets/{dataset}")
    photos = page.get_by_role("list", name="Photos").get_by_role("link")
    expect(photos.nth(10)).to_be_attached()
    first = photos.first.get_attribute("href")
    page.evaluate("scrollTo(0, 1200)")

    def in_view() -> list[str]:
        return page.evaluate(
            """() => [...document.querySelectorAll('ul[aria-label=Photos] a')].filter(link => {
              const { top, bottom } = link.getBoundingClientRect()
              return top > 0 && bottom < innerHeight
            }).map(link => link.getAttribute('href'))"""
        )

    left = wait_until("a place further down", lambda: in_view() if first not in in_view() and in_view() else None, 10)
    expect(page).to_have_url(re.compile(r"\?at="))
    page.locator(f'a[href="{left[0]}"]').click()
    expect(page.get_by_test_id("workspace")).to_be_visible()
    for leave in (page.go_back, lambda: page.get_by_role("button", name="← Lists").click()):
        leave()
        expect(page.locator(f'a[href="{left[0]}"]')).to_be_in_viewport(timeout=10_000)
        page.locator(f'a[href="{left[0]}"]').click()
        expect(page.get_by_test_id("workspace")).to_be_visible()


def test_who_skips_a_photo_says_why_and_an_admin_sees_it_with_the_photos(
    browser: Any, page: Page, maskloop: Running, script: Client, new_dataset: Callable[[int], str]
) -> None:
    dataset = new_dataset(2)
    person = joined(browser, maskloop, script, dataset, "skips")
    for words in ("Blurred or too dark", "Nothing but sky"):
        skip = person.get_by_role("button", name="Skip")
        expect(skip).to_be_enabled()
        skip.click()
        if words == "Blurred or too dark":
            person.get_by_role("menuitem", name=words).click()
        else:
            person.get_by_role("menuitem", name="Another reason…").click()
            person.get_by_label("Reason").fill(words)
            person.get_by_role("button", name="Skip the photo").click()
        expect(person.get_by_role("dialog")).to_be_hidden()
    expect(person.get_by_role("heading", name="Every photo is labelled.")).to_be_visible()
    person.context.close()

    page.goto(f"{maskloop.address}/datasets/{dataset}/loop")
    for words in ("Blurred or too dark", "Nothing but sky"):
        row = page.get_by_role("row", name=words)
        expect(row.get_by_role("cell").nth(2)).to_have_text("1")  # person
        expect(row.get_by_role("link", name="1 photo")).to_be_visible()
    page.get_by_role("row", name="Nothing but sky").get_by_role("link").click()
    expect(page.get_by_role("list", name="Photos").get_by_role("link")).to_have_count(1)


def test_an_import_that_a_reload_cut_off_goes_on_and_a_file_beside_the_drop_zone_opens_nothing(
    page: Page, maskloop: Running, script: Client, jpeg: Callable[..., bytes], tmp_path: Path
) -> None:
    dataset = script.post("/api/datasets/", {"name": f"Lists {uuid4()}"})["id"]
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / ".hidden").write_text("noise")
    for number in range(24):
        (folder / f"{number:02}.jpg").write_bytes(jpeg(width=48, height=32, seed=number))
    sent: list[Route] = []

    def some(route: Route) -> None:
        sent.append(route)
        if len(sent) <= 6:
            route.continue_()  # the others wait for an answer that never comes

    page.on("dialog", lambda dialog: dialog.accept())  # "leave the page?"
    page.route("**/upload/", some)
    page.goto(f"{maskloop.address}/datasets/{dataset}/import")
    page.get_by_label("Folder", exact=True).set_input_files(folder)
    upload = page.get_by_test_id("upload")
    expect(upload).to_contain_text("6 of 24 files")
    page.wait_for_timeout(1500)  # how far it is, is written down every second
    page.reload()
    page.unroute("**/upload/")
    stopped = page.get_by_role("alert").filter(has_text="An import stopped at")
    expect(stopped).to_contain_text("6 of 24 files")
    expect(stopped).to_contain_text("Choose the same files or folder again")
    page.get_by_label("Folder", exact=True).set_input_files(folder)
    expect(upload).to_contain_text("24 of 24 files, 18 photos new, 6 were there already")
    assert script.get(f"/api/datasets/{dataset}/images/")["count"] == 24

    # What was dropped the browser can open again, where it is allowed to.
    files = [[f"late {n}.jpg", base64.b64encode(jpeg(width=48, height=32, seed=100 + n)).decode()] for n in range(12)]
    page.evaluate(KEPT_FOLDER, [dataset, files])
    page.reload()
    page.evaluate(
        "FileSystemHandle.prototype.requestPermission = () => Promise.reject(new DOMException('', 'SecurityError')); null"
    )
    expect(stopped).to_contain_text("It goes on where it stopped")
    stopped.get_by_role("button", name="Go on").click()
    expect(stopped).to_contain_text("not allowed to open the files again")
    expect(stopped).to_contain_text("Choose the same files or folder again")
    page.evaluate("FileSystemHandle.prototype.requestPermission = async () => 'granted'; null")
    stopped.get_by_role("button", name="Go on").click()
    expect(upload).to_contain_text("12 of 12 files, 12 photos new")
    assert script.get(f"/api/datasets/{dataset}/images/")["count"] == 36

    zone = page.get_by_text("Drop files or folders here")
    late = base64.b64encode(jpeg(width=48, height=32, seed=200)).decode()
    assert page.locator("body").evaluate(DROPPED, late) == {"dragover": [True, "none"], "drop": [True, "none"]}
    assert page.locator("body").evaluate(DROPPED, None) == {"dragover": [False, "none"], "drop": [False, "none"]}
    expect(upload).to_contain_text("12 of 12 files")
    assert zone.evaluate(DROPPED, late)["drop"][0] is True
    wait_until("the dropped photo", lambda: script.get(f"/api/datasets/{dataset}/images/")["count"] == 37 or None, 15)


#: A folder that the browser opens again, and an import of it that an earlier page had begun.
KEPT_FOLDER = """async ([dataset, files]) => {
  const root = await navigator.storage.getDirectory()
  const folder = await root.getDirectoryHandle('photos', { create: true })
  for (const [name, data] of files) {
    const file = await (await folder.getFileHandle(name, { create: true })).createWritable()
    await file.write(Uint8Array.from(atob(data), byte => byte.charCodeAt(0)))
    await file.close()
  }
  const kept = await new Promise(resolve => {
    const opening = indexedDB.open('keyval-store')
    opening.onupgradeneeded = () => opening.result.createObjectStore('keyval')
    opening.onsuccess = () => resolve(opening.result)
  })
  await new Promise(resolve => {
    const writing = kept.transaction('keyval', 'readwrite')
    writing.objectStore('keyval').put({ all: files.length, done: 0, handles: [folder] }, `import:${dataset}`)
    writing.oncomplete = resolve
  })
  kept.close()
}"""

#: A photo, or a text, is dragged over the element and dropped on it: whether somebody took it, and with what effect.
DROPPED = """(element, photo) => Object.fromEntries(['dragover', 'drop'].map(type => {
  const dataTransfer = new DataTransfer()
  if (photo === null) dataTransfer.setData('text/plain', 'words')
  else {
    const bytes = Uint8Array.from(atob(photo), byte => byte.charCodeAt(0))
    dataTransfer.items.add(new File([bytes], 'dropped.jpg', { type: 'image/jpeg' }))
  }
  const event = new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true })
  element.dispatchEvent(event)
  return [type, [event.defaultPrevented, dataTransfer.dropEffect]]
}))"""


def test_photos_are_found_by_each_filter_and_only_those_near_the_window_are_in_the_page(
    page: Page, maskloop: Running, script: Client, new_dataset: Callable[[int], str]
) -> None:
    dataset = new_dataset(130)
    held = script.post(f"/api/datasets/{dataset}/assignments/", {"besides": []})["assignment"]
    drawn = coco.encode(np.asfortranarray(np.pad(np.ones((9, 9), np.uint8), ((4, 19), (4, 35)))))
    script.put(
        f"/api/masks/{uuid4()}/",
        {
            "assignment": held["id"],
            "size": [32, 48],
            "counts": drawn["counts"].decode(),
            "origin": "assisted",
            "prompts": [{"kind": "point", "at": [8, 8], "label": 1}],
            "predicted_iou": 0.9,
        },
    )
    # A hand that is quicker than the pause after typing.
    page.add_init_script(
        "const after = setTimeout; setTimeout = (f, ms, ...a) => after(f, ms === 350 ? 3000 : ms, ...a)"
    )
    page.goto(f"{maskloop.address}/datasets/{dataset}")
    found = page.get_by_role("search").get_by_role("status")
    photos = page.get_by_role("list", name="Photos").get_by_role("link")
    expect(found).to_have_text("130 photos")
    expect(photos.nth(10)).to_be_attached()
    last = page.get_by_role("list", name="Photos").locator("a", has=page.get_by_role("img", name="129.jpg"))
    for _ in range(20):
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(200)
    expect(last).to_be_in_viewport()
    assert photos.count() < 100

    def pick(label: str, option: str) -> None:
        page.get_by_role("combobox", name=label, exact=True).click()
        page.get_by_role("option", name=option, exact=True).click()

    for label, option, none in [
        ("Masks made in the stage", "Assisted", "Automatic"),
        ("How masks were made", "Clicks and the model", "Brush"),
        ("Masks by", "admin", None),
        ("Masks of the model", held["checkpoint"]["name"], None),
    ]:
        pick(label, option)
        expect(found).to_have_text("1 photo")
        expect(photos).to_have_count(1)
        if none:
            pick(label, none)
            expect(found).to_have_text("0 photos")
            pick(label, option)
        page.reload()  # the address has it
        expect(found).to_have_text("1 photo")
        page.get_by_role("button", name="Show all").click()
        expect(found).to_have_text("130 photos")
    for least, count in [("0.95", "0 photos"), ("0.85", "1 photo")]:
        page.get_by_label("Confidence from").fill(least)
        page.keyboard.press("Enter")
        expect(found).to_have_text(count)
    page.get_by_role("button", name="Show all").click()
    expect(found).to_have_text("130 photos")

    page.get_by_label("File name contains").fill(held["image"]["file_name"])
    pick("Masks made in the stage", "Assisted")
    expect(page).to_have_url(re.compile(r"stage=assisted"))
    expect(page).to_have_url(re.compile(r"name="))
    expect(page).to_have_url(re.compile(r"stage=assisted"))
