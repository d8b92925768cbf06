"""What the workspace shows of a photo, and what the model sees of it, in a real browser."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.system.client import Client, wait_until
from tests.system.conftest import Running, artefact
from tests.system.shown import assert_same, in_work, shown_masks, stored_masks
from tests.system.test_journey import Person

SIDE = (1600, 1200)


@pytest.fixture
def opened(browser: Any, maskloop: Running, jpeg: Callable[..., bytes]) -> Any:
    """A photo larger than the model's input, in the workspace: the page, the script, the photo's id."""
    script = maskloop.admin()
    dataset = script.post("/api/datasets/", {"name": f"Seeing {uuid4()}"})["id"]
    script.upload(f"/api/datasets/{dataset}/upload/", {"a.jpg": jpeg(width=SIDE[0], height=SIDE[1], seed=5)})
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.goto(maskloop.address)
    page.get_by_label("Name").fill("admin")
    page.locator("input[type=password]").fill(maskloop.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Datasets")).to_be_visible()
    page.goto(f"{maskloop.address}/datasets/{dataset}/label")
    Person(page).wait_until_ready()
    yield page, script, script.get(f"/api/datasets/{dataset}/images/")["results"][0]["id"]
    context.close()


def accept(page: Page, count: int) -> None:
    wait_until("an answer", lambda: True if in_work(page) is not None else None, 30)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("object-count")).to_have_text(str(count))


def test_the_model_looks_closer_at_what_is_in_the_window_and_its_mask_comes_back_in_the_photos_frame(
    opened: tuple[Page, Client, str],
) -> None:
    page, script, image = opened
    person = Person(page)
    place = person.place((0.4, 0.6), SIDE)
    page.mouse.move(*place)
    page.mouse.wheel(0, -1200)
    page.get_by_role("button", name=re.compile("^Let the model look closer")).click()
    expect(page.get_by_text("The model looks at")).to_be_visible(timeout=60_000)
    page.mouse.click(*place)
    accept(page, 1)
    person.shot("closer")
    page.get_by_role("button", name="Whole photo", exact=True).click()
    expect(page.get_by_text("The model looks at")).to_be_hidden()
    page.mouse.click(place[0] + 40, place[1])
    accept(page, 2)
    person.saved()
    closer, whole = sorted(script.get(f"/api/images/{image}/masks/"), key=lambda mask: mask["crop_box"] is None)
    x0, y0, x1, y1 = closer["crop_box"]
    assert x1 - x0 < SIDE[0] / 2
    assert x0 <= closer["box"][0] < closer["box"][2] <= x1
    assert y0 <= closer["box"][1] < closer["box"][3] <= y1
    assert whole["crop_box"] is None
    assert closer["prompts"][0]["at"] == pytest.approx([0.4 * SIDE[0], 0.6 * SIDE[1]], abs=1)
    assert_same(shown_masks(page), stored_masks(script, image))


def test_the_list_and_the_photo_point_at_the_same_mask_and_one_is_shown_alone(opened: tuple[Page, Client, str]) -> None:
    page, _, _ = opened
    person = Person(page)
    place = person.place((0.4, 0.6), SIDE)
    page.mouse.move(1200, 500)
    bare = stage(page)
    page.mouse.click(*place)
    accept(page, 1)
    row = page.get_by_test_id("object-list").locator("li").first
    page.mouse.move(*place)
    expect(row).to_have_attribute("data-hovered", "true")
    page.mouse.move(*person.place((0.01, 0.01), SIDE))
    expect(row).to_have_attribute("data-hovered", "false")
    page.get_by_role("button", name=re.compile(r"^Object 1\b")).hover()
    expect(row).to_have_attribute("data-hovered", "true")
    page.get_by_role("button", name=re.compile(r"^Object 1\b")).click()
    page.keyboard.press("i")
    expect(page.get_by_text("One mask is shown alone")).to_be_visible()
    page.keyboard.press("i")
    expect(page.get_by_text("One mask is shown alone")).to_be_hidden()
    page.mouse.move(1200, 600)
    page.keyboard.press("Escape")
    wait_until("the mask", lambda: True if not np.array_equal(stage(page), bare) else None, 5)
    page.keyboard.down("h")
    wait_until("nothing but the photo", lambda: True if np.array_equal(stage(page), bare) else None, 5)
    page.keyboard.up("h")
    page.keyboard.press("9")
    expect(page.get_by_test_id("stage")).to_have_attribute("data-scale", "1")
    page.keyboard.press("0")
    page.screenshot(path=artefact("seeing.png"))


RING = 4  # pixels


def stage(page: Page) -> np.ndarray:
    """What can be seen there, but for the ring that says where the keys go."""
    png = page.get_by_test_id("stage").screenshot()
    seen = np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR))
    return seen[RING:-RING, RING:-RING]
