"""What hands do at once: mouse and keys, and two fingers."""

from collections.abc import Sequence

import pytest
from playwright.sync_api import Page, expect

from tests.system.client import wait_until
from tests.system.shown import in_work
from tests.system.test_journey import Person, offered
from tests.system.test_safety import click

SIZE = (240, 160)


def view(page: Page) -> tuple[float, ...]:
    """Scale and offset of the photo in the window, once it is at rest."""
    stage = page.get_by_test_id("stage")
    page.wait_for_timeout(300)
    return tuple(float(stage.get_attribute(f"data-{name}") or 0) for name in ("scale", "offset-x", "offset-y"))


def test_after_a_click_by_mouse_the_keys_belong_to_the_photo_and_who_goes_by_keys_stays_where_they_are(
    new_dataset, new_browser
):
    page = new_browser(new_dataset(1))
    key, count = page.keyboard.press, page.get_by_test_id("object-count")
    stage, undo = page.get_by_test_id("stage"), page.get_by_role("button", name="Undo", exact=True)
    click(page)
    offered(page).nth(1).click()
    key("Tab")
    expect(offered(page).nth(2)).to_have_attribute("aria-checked", "true")
    key("Enter")
    expect(count).to_have_text("1")

    undo.click()
    expect(count).to_have_text("0")
    key("Enter")  # not undone once more: the object is accepted again
    expect(count).to_have_text("1")

    page.get_by_role("button", name="Brush", exact=True).click()
    page.mouse.move(*Person(page).place((0.2, 0.2), SIZE))
    before = view(page)
    page.keyboard.down(" ")
    page.mouse.down()
    page.mouse.move(*Person(page).place((0.3, 0.2), SIZE), steps=4)
    page.mouse.up()
    page.keyboard.up(" ")
    assert view(page) == pytest.approx((before[0], before[1] + 0.1 * SIZE[0] * before[0], before[2]), abs=1.5)
    assert in_work(page) is None

    page.get_by_role("button", name="Skip", exact=True).click()
    expect(page.get_by_role("menuitem", name="Blurred or too dark")).to_be_focused()
    key("ArrowDown")
    expect(page.get_by_role("menuitem", name="Too difficult")).to_be_focused()
    key("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(stage).to_be_focused()
    page.get_by_role("button", name="Guidelines", exact=True).click()
    page.get_by_role("dialog", name="Guidelines").get_by_role("button", name="Close").click()
    expect(stage).to_be_focused()

    undo.focus()
    key("Enter")
    expect(count).to_have_text("0")
    expect(undo).to_be_focused()


def test_two_fingers_move_and_zoom_the_photo_and_leave_nothing_painted(new_dataset, new_browser):
    page = new_browser(new_dataset(1))
    Person(page).wait_until_ready()
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, places: Sequence[tuple[float, float]]) -> None:
        points = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    page.keyboard.press("b")
    x, y = Person(page).place((0.5, 0.5), SIZE)
    before = view(page)
    touch("touchStart", [(x - 50, y)])
    touch("touchMove", [(x - 40, y)])
    touch("touchStart", [(x - 40, y), (x + 40, y)])
    for step in (1, 2, 3, 4):  # twice as far from each other, and 20 px lower
        touch("touchMove", [(x - 40 - 10 * step, y + 5 * step), (x + 40 + 10 * step, y + 5 * step)])
    touch("touchEnd", [])
    after = view(page)
    assert after[0] == pytest.approx(2 * before[0], rel=0.02)
    assert Person(page).place((0.5, 0.5), SIZE) == pytest.approx((x, y + 20), abs=2)
    assert in_work(page) is None

    touch("touchStart", [(x, y)])
    touch("touchMove", [(x + 30, y)])
    touch("touchEnd", [])
    wait_until("a stroke of one finger", lambda: True if in_work(page) is not None else None, 5)
    assert view(page) == after
