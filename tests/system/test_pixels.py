"""What hands paint is what the database has, pixel for pixel."""

from collections.abc import Callable
from uuid import uuid4

import numpy as np
from playwright.sync_api import Browser, expect

from tests.system.client import wait_until
from tests.system.conftest import Running, log_in
from tests.system.shown import PHOTO, assert_same, shown_masks, stored_masks
from tests.system.test_journey import Person
from tests.system.test_safety import saved

WIDTH, HEIGHT = 60, 40


def brushed(path: list[tuple[int, int]], diameter: int) -> np.ndarray:
    """Pixels within half an odd diameter of a pixel of a way that goes along rows and columns: the brush, written down."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for (x0, y0), (x1, y1) in zip(path, path[1:] or path, strict=False):
        for step in range(max(abs(x1 - x0), abs(y1 - y0)) + 1):
            at_x, at_y = x0 + step * np.sign(x1 - x0), y0 + step * np.sign(y1 - y0)
            mask |= (x - at_x) ** 2 + (y - at_y) ** 2 <= (diameter / 2) ** 2
    return mask


def test_brush_eraser_polygon_merge_and_undo_reach_the_database_pixel_for_pixel(
    browser: Browser, maskloop: Running, jpeg: Callable[..., bytes]
):
    script = maskloop.admin()
    dataset = script.post("/api/datasets/", {"name": f"Pixels {uuid4()}"})["id"]
    script.upload(f"/api/datasets/{dataset}/upload/", {"a.jpg": jpeg(width=WIDTH, height=HEIGHT)})
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    log_in(page, maskloop)
    page.goto(f"{maskloop.address}/datasets/{dataset}/label")
    wait_until("the photo", lambda: page.evaluate(PHOTO), 60)  # brushes do not wait for the model
    photo = page.evaluate(PHOTO)

    def go(x: float, y: float) -> None:
        page.mouse.move(*Person(page).place((x / WIDTH, y / HEIGHT), (WIDTH, HEIGHT)))

    def stroke(*path: tuple[int, int]) -> None:
        go(path[0][0] + 0.5, path[0][1] + 0.5)
        page.mouse.down()
        for x, y in path[1:]:
            go(x + 0.5, y + 0.5)
        page.mouse.up()

    def size(px: int) -> None:
        at = page.get_by_test_id("brush-size")
        while (now := int(at.inner_text().split()[0])) != px:
            page.keyboard.press("[" if now > px else "]")

    def polygon(*corners: tuple[int, int]) -> None:
        page.keyboard.press("p")
        for x, y in corners:
            go(x, y)
            page.mouse.down()
            page.mouse.up()
        page.keyboard.press("Enter")

    def stored(count: int) -> list[np.ndarray]:
        expect(page.get_by_test_id("object-count")).to_have_text(str(count))
        saved(page)
        assert_same(shown_masks(page), stored_masks(script, photo))
        return list(stored_masks(script, photo).values())

    # A stroke round a corner and over the photo's edge; then one of a single pixel's width takes some away.
    page.keyboard.press("b")
    size(7)
    stroke((5, 5), (30, 5), (30, 39))
    page.keyboard.press("e")
    size(1)
    stroke((20, 4), (20, 6))
    page.keyboard.press("Enter")
    drawn = brushed([(5, 5), (30, 5), (30, 39)], 7) & ~brushed([(20, 4), (20, 6)], 1)
    assert np.array_equal(stored(1)[0], drawn)

    polygon((40, 10), (58, 10), (58, 30), (40, 30))
    page.keyboard.press("Enter")
    square = np.zeros((HEIGHT, WIDTH), bool)
    square[10:30, 40:58] = True
    assert any(np.array_equal(mask, square) for mask in stored(2))

    # Merged, parted again, undone one by one: always what is shown.
    page.keyboard.press("v")
    go(10.5, 5.5)
    page.mouse.click(*Person(page).place((10.5 / WIDTH, 5.5 / HEIGHT), (WIDTH, HEIGHT)))
    page.keyboard.down("Shift")
    page.mouse.click(*Person(page).place((50.5 / WIDTH, 20.5 / HEIGHT), (WIDTH, HEIGHT)))
    page.keyboard.up("Shift")
    page.keyboard.press("m")
    assert np.array_equal(stored(1)[0], drawn | square)
    page.keyboard.press("x")
    assert sorted(mask.sum() for mask in stored(2)) == sorted([drawn.sum(), square.sum()])
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    assert np.array_equal(stored(1)[0], drawn | square)
    page.keyboard.press("Control+z")
    assert sorted(mask.sum() for mask in stored(2)) == sorted([drawn.sum(), square.sum()])

    # Repaired: the new row says what it replaces.
    page.mouse.click(*Person(page).place((50.5 / WIDTH, 20.5 / HEIGHT), (WIDTH, HEIGHT)))
    page.keyboard.press("e")
    size(1)
    stroke((45, 20), (45, 20))
    page.keyboard.press("Enter")
    square[20, 45] = False
    assert any(np.array_equal(mask, square) for mask in stored(2))
    newest = max(script.get(f"/api/images/{photo}/masks/"), key=lambda mask: mask["created_at"])
    assert (newest["origin"], newest["predicted_iou"]) == ("brush", None)
    assert newest["replaces"] is not None
    page.context.close()
