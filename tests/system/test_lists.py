"""Lists, and what fills them: masks that exist already, and the way back to where one was."""

import io
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image as Pillow
from playwright.sync_api import Page, expect

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
    expect(person.get_by_text("Every photo is labelled.")).to_be_visible()
    person.context.close()

    page.goto(f"{maskloop.address}/datasets/{dataset}/loop")
    for words in ("Blurred or too dark", "Nothing but sky"):
        row = page.get_by_role("row", name=words)
        expect(row.get_by_role("cell").nth(2)).to_have_text("1")  # person
        expect(row.get_by_role("link", name="1 photo")).to_be_visible()
    page.get_by_role("row", name="Nothing but sky").get_by_role("link").click()
    expect(page.get_by_role("list", name="Photos").get_by_role("link")).to_have_count(1)
