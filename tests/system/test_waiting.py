"""A photo whose embedding is not ready yet."""

import json

from playwright.sync_api import Route, expect

from tests.system.client import wait_until
from tests.system.conftest import artefact
from tests.system.shown import PHOTO, assert_same, clicks_answered, shown_masks, stored_masks
from tests.system.test_journey import Person
from tests.system.test_safety import saved

SIZE = (240, 160)
IN_THE_MAKING = {"message": "It is being made.", "extra": {"expected_seconds": 7}}


def test_while_the_model_looks_at_a_photo_the_page_says_for_how_long_hands_paint_and_a_click_is_answered_once_it_can_be(
    browser, new_dataset, cookies, script, maskloop
):
    dataset = new_dataset(1)
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    is_ready = False

    def embedding(route: Route) -> None:
        if is_ready:
            route.continue_()
        else:
            route.fulfill(status=202, content_type="application/json", body=json.dumps(IN_THE_MAKING))

    try:
        context.add_cookies(cookies)
        context.route("**/embedding/**", embedding)
        page = context.new_page()
        page.goto(f"{maskloop.address}/datasets/{dataset}/label")
        notice = page.get_by_text("The model is looking at the photo, about 7 s")
        expect(notice).to_be_visible(timeout=60_000)
        place = Person(page).place
        page.keyboard.press("b")
        page.mouse.move(*place((0.2, 0.2), SIZE))
        page.mouse.down()
        page.mouse.move(*place((0.3, 0.2), SIZE))
        page.mouse.up()
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("object-count")).to_have_text("1")
        saved(page)
        painted = shown_masks(page)
        assert_same(painted, stored_masks(script, page.evaluate(PHOTO)))
        page.keyboard.press("q")
        page.mouse.click(*place((0.6, 0.6), SIZE))
        page.screenshot(path=artefact("waiting.png"))
        expect(notice).to_be_visible()
        assert clicks_answered(page) == 0
        is_ready = True
        wait_until("the answer", lambda: clicks_answered(page) == 1 or None, 60)
        expect(notice).to_be_hidden()
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("object-count")).to_have_text("2")
        saved(page)
        assert painted.keys() < shown_masks(page).keys()
        assert_same(shown_masks(page), stored_masks(script, page.evaluate(PHOTO)))
    finally:
        context.close()
