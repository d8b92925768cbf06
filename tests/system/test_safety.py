"""Nothing is lost: reloads, logouts, two windows, no network, a server that goes away, a new version."""

import numpy as np
import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, Route, expect

from tests.system.client import Client, wait_until
from tests.system.conftest import joined, log_in
from tests.system.shown import PHOTO, assert_same, clicks_answered, in_work, shown_masks, stored_masks
from tests.system.test_journey import Person


def click(page: Page, x: float = 0.5, y: float = 0.5) -> None:
    """On the photo, as shares of its width and height; until it is answered."""
    Person(page).wait_until_ready()
    page.mouse.click(*Person(page).place((x, y), (240, 160)))
    wait_until("an answer", lambda: True if in_work(page) is not None else None, 20)


def saved(page: Page) -> None:
    expect(page.get_by_test_id("saving")).to_have_text("Saved", timeout=30_000)


def test_the_object_in_work_survives_a_reload_and_a_crash_pixel_for_pixel(new_dataset, new_browser, maskloop, script):
    dataset = new_dataset(2)
    page = new_browser(dataset)
    context = page.context
    click(page, 0.4, 0.5)
    page.mouse.click(*Person(page).place((0.45, 0.55), (240, 160)))
    wait_until("the second answer", lambda: clicks_answered(page) == 2 or None, 20)
    photo, before = page.evaluate(PHOTO), in_work(page)
    page.reload()
    wait_until("the object in work", lambda: in_work(page), 30)
    assert np.array_equal(before, in_work(page))
    # A crash: the window is gone at once and without a word, and another one is opened.
    with pytest.raises(PlaywrightError):
        page.goto("chrome://crash", timeout=10_000)
    page.close()
    page = context.new_page()
    page.goto(f"{maskloop.address}/datasets/{dataset}/label")
    wait_until("the object in work", lambda: in_work(page), 30)
    assert page.evaluate(PHOTO) == photo
    assert np.array_equal(before, in_work(page))
    page.keyboard.press("Enter")
    saved(page)
    assert_same(shown_masks(page), stored_masks(script, photo))


def test_who_logs_out_in_another_tab_logs_in_again_in_place_and_nothing_is_lost(
    new_dataset, new_browser, maskloop, script
):
    page = new_browser(new_dataset(2))
    page.context.clear_cookies()
    log_in(page, maskloop)
    page.go_back()
    click(page)
    other = page.context.new_page()
    other.goto(maskloop.address)
    other.get_by_role("button", name="Log out").click()
    expect(other.get_by_role("button", name="Log in")).to_be_visible()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("You are not logged in any more")
    expect(page.get_by_test_id("saving")).to_contain_text("Not saved yet (1)")
    shown, photo = shown_masks(page), page.evaluate(PHOTO)
    assert len(shown) == 1
    assert stored_masks(script, photo) == {}
    dialog.locator("input[type=password]").fill(maskloop.password)
    dialog.get_by_role("button", name="Log in").click()
    expect(dialog).to_be_hidden()
    saved(page)
    assert_same(shown, stored_masks(script, photo))
    assert_same(shown, shown_masks(page))


def test_of_two_windows_on_one_photo_one_writes_and_the_other_one_watches_or_takes_over(
    new_dataset, new_browser, maskloop, script
):
    dataset = new_dataset(1)
    first = new_browser(dataset)
    click(first, 0.3, 0.4)
    first.keyboard.press("Enter")
    saved(first)
    second = new_browser(dataset)  # another browser of the same person's
    watching = second.get_by_test_id("watching")
    expect(watching).to_contain_text("another window")
    expect(second.get_by_test_id("object-count")).to_have_text("1")
    # It looks on: a click does nothing here, and what is done there is seen here.
    second.mouse.click(*Person(second).place((0.7, 0.6), (240, 160)))
    click(first, 0.7, 0.6)
    first.keyboard.press("Enter")
    expect(second.get_by_test_id("object-count")).to_have_text("2", timeout=10_000)
    assert_same(shown_masks(first), shown_masks(second))
    # It takes over: the first one is told, and what it had unsent is kept there.
    first.context.route("**/api/masks/**", lambda route: route.abort())
    click(first, 0.5, 0.8)
    first.keyboard.press("Enter")
    expect(first.get_by_test_id("saving")).to_contain_text("Not saved yet (1)")
    watching.get_by_role("button", name="Go on in this window").click()
    expect(watching).to_be_hidden()
    expect(first.get_by_test_id("watching")).to_be_visible(timeout=10_000)
    first.context.unroute("**/api/masks/**")
    expect(first.get_by_role("button", name="Take the photo over and save")).to_be_visible(timeout=20_000)
    click(second, 0.2, 0.8)
    second.keyboard.press("Enter")
    saved(second)
    photo = second.evaluate(PHOTO)
    stored = stored_masks(script, photo)
    assert len(stored) == 3
    assert_same(shown_masks(second), stored)
    # A person decides: the first one takes the photo back, and nothing of either is lost.
    first.get_by_role("button", name="Take the photo over and save").click()
    saved(first)
    wait_until("all four", lambda: len(shown_masks(first)) == 4 or None, 10)
    assert_same(shown_masks(first), stored_masks(script, photo))
    expect(second.get_by_test_id("watching")).to_be_visible(timeout=10_000)


def test_two_tabs_of_one_browser_share_what_is_unsent_and_the_object_in_work_and_nothing_is_lost_or_doubled(
    new_dataset, new_browser, maskloop, script
):
    dataset = new_dataset(1)
    first = new_browser(dataset)
    first.route("**/api/masks/**", lambda route: route.abort())  # in this tab alone
    click(first, 0.3, 0.4)
    first.keyboard.press("Enter")
    expect(first.get_by_test_id("saving")).to_contain_text("Not saved yet (1)")
    photo = first.evaluate(PHOTO)
    second = first.context.new_page()
    second.goto(f"{maskloop.address}/datasets/{dataset}/label")
    watching = second.get_by_test_id("watching")
    expect(watching).to_contain_text("another window")
    # The other tab finds it in the journal that they share, and sends it.
    wait_until("the mask", lambda: stored_masks(script, photo) or None, 30)
    saved(first)
    saved(second)
    expect(second.get_by_test_id("object-count")).to_have_text("1")
    assert_same(shown_masks(first), stored_masks(script, photo))
    # What is in work goes along to the tab that takes over, and is accepted there once.
    first.bring_to_front()
    click(first, 0.7, 0.6)
    begun = in_work(first)
    second.bring_to_front()
    watching.get_by_role("button", name="Go on in this window").click()
    expect(watching).to_be_hidden()
    wait_until("the object in work", lambda: in_work(second), 30)
    assert np.array_equal(begun, in_work(second))
    expect(first.get_by_test_id("watching")).to_be_visible(timeout=10_000)
    second.keyboard.press("Enter")
    saved(second)
    first.unroute("**/api/masks/**")
    stored = stored_masks(script, photo)
    assert len(stored) == 2
    assert_same(shown_masks(second), stored)
    # And back: the first tab has all of it, and no second copy of what it had begun.
    first.bring_to_front()
    first.get_by_test_id("watching").get_by_role("button", name="Go on in this window").click()
    expect(first.get_by_test_id("watching")).to_be_hidden()
    wait_until("both", lambda: len(shown_masks(first)) == 2 or None, 10)
    first.keyboard.press("Enter")
    saved(first)
    assert_same(shown_masks(first), stored)
    assert_same(stored, stored_masks(script, photo))


def test_who_may_not_write_any_more_gives_all_of_a_photo_up_at_once_after_a_question_that_names_it(
    new_dataset, browser, maskloop, script
):
    dataset = new_dataset(1)
    page = joined(browser, maskloop, script, dataset, "leaver")
    try:
        page.route("**/api/masks/**", lambda route: route.abort())
        for at in (0.3, 0.7):
            click(page, at, 0.5)
            page.keyboard.press("Enter")
        expect(page.get_by_test_id("saving")).to_contain_text("Not saved yet (2), kept in this browser")
        members = {member["username"]: member["user"] for member in script.get(f"/api/datasets/{dataset}/members/")}
        script._send("DELETE", f"/api/datasets/{dataset}/members/{members[f'leaver-{dataset[-6:]}']}/")
        page.unroute("**/api/masks/**")
        saving = page.get_by_role("status").filter(has=page.get_by_test_id("saving"))
        saving.get_by_role("button", name="Give it up").click(timeout=40_000)
        dialog = page.get_by_role("dialog", name="Give this up?")
        expect(dialog).to_contain_text("An object. Photo: 0.jpg. Made:")
        dialog.get_by_role("button", name="Cancel").click()
        expect(page.get_by_test_id("saving")).to_contain_text("Not saved (2")
        saving.get_by_role("button", name="Give it up").click()
        dialog.get_by_role("button", name="Give up all 2 of this photo").click()
        saved(page)
        assert shown_masks(page) == {}
    finally:
        page.context.close()


def test_a_browser_that_cannot_keep_the_object_in_work_says_so_and_asks_before_it_is_closed(
    browser, new_dataset, cookies, maskloop
):
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    try:
        context.add_cookies(cookies)
        context.add_init_script("IDBObjectStore.prototype.put = () => { throw new Error('the disk is full') }")
        page = context.new_page()
        page.goto(f"{maskloop.address}/datasets/{new_dataset(1)}/label")
        click(page)
        expect(page.get_by_text("The object in work is in this page alone (the disk is full)")).to_be_visible()
        with page.expect_event("dialog") as asked:
            page.close(run_before_unload=True)
        assert asked.value.type == "beforeunload"
        asked.value.dismiss()
        page.keyboard.press("Enter")
        saved(page)
        expect(page.get_by_text("The object in work is in this page alone")).to_be_hidden()
        page.on("dialog", lambda dialog: dialog.dismiss())  # it would stay open
        with page.expect_event("close"):
            page.close(run_before_unload=True)
    finally:
        context.close()


def test_what_somebody_else_made_after_the_lease_ran_out_is_shown_before_the_photo_is_submitted(
    new_dataset, new_browser, browser, maskloop, script
):
    dataset = new_dataset(1)
    first = new_browser(dataset)
    click(first, 0.3, 0.4)
    first.keyboard.press("Enter")
    saved(first)
    photo = first.evaluate(PHOTO)
    first.context.set_offline(True)
    give_back(script, dataset)
    other = joined(browser, maskloop, script, dataset, "other")
    click(other, 0.7, 0.6)
    other.keyboard.press("Enter")
    saved(other)
    other.keyboard.press("Control+Enter")
    saved(other)
    other.context.close()
    click(first, 0.5, 0.8)
    first.keyboard.press("Enter")
    expect(first.get_by_test_id("object-count")).to_have_text("2")
    first.context.set_offline(False)
    expect(first.get_by_text("Somebody else has worked on this photo meanwhile")).to_be_visible(timeout=30_000)
    expect(first.get_by_test_id("object-count")).to_have_text("3")
    saved(first)
    assert_same(shown_masks(first), stored_masks(script, photo))
    # What came from somebody else is no step of this person's: undo takes back the own object alone.
    first.keyboard.press("Control+z")
    first.keyboard.press("Control+z")
    expect(first.get_by_test_id("object-count")).to_have_text("2")


def test_a_photo_on_which_nothing_is_drawn_goes_when_its_lease_runs_out(new_dataset, new_browser, script):
    dataset = new_dataset(2)
    page = new_browser(dataset)
    Person(page).wait_until_ready()
    before = page.evaluate(PHOTO)
    give_back(script, dataset, before)
    wait_until("the other photo", lambda: page.evaluate(PHOTO) not in (None, before) or None, 20)


def give_back(script: Client, dataset: str, photo: str | None = None) -> None:
    """What the page holds, or one photo of it, without its knowing."""
    asked, besides = f"/api/datasets/{dataset}/assignments/", []
    while held := script.post(asked, {"besides": besides})["assignment"]:
        besides.append(held["id"])
        if photo in (None, held["image"]["id"]):
            script.post(f"/api/assignments/{held['id']}/release/")
            return


def test_three_photos_labelled_offline_are_sent_when_the_network_is_back(new_dataset, new_browser, script):
    page = new_browser(new_dataset(4))
    click(page)
    page.keyboard.press("Escape")
    wait_until("the next two photos", lambda: ready_ahead(page) == 2 or None, 30)
    page.context.set_offline(True)
    shown = {}
    for number in range(3):
        click(page)
        page.keyboard.press("Enter")
        photo = page.evaluate(PHOTO)
        shown[photo] = shown_masks(page)
        page.wait_for_timeout(450)  # nobody submits a photo that they have not seen
        page.keyboard.press("Control+Enter")
        wait_until("another photo, or none", lambda own=photo: page.evaluate(PHOTO) != own or None, 10)
        expect(page.get_by_test_id("saving")).to_contain_text(f"Not saved yet ({2 * number + 2})")
    page.context.set_offline(False)
    saved(page)
    assert len(shown) == 3
    for photo, masks in shown.items():
        assert len(masks) == 1
        assert_same(masks, stored_masks(script, photo))
    wait_until("the fourth photo", lambda: page.evaluate(PHOTO) not in (None, *shown) or None, 30)


def ready_ahead(page: Page) -> int:
    """How many photos are there already, embedding and all, before they are asked for."""
    return int(page.get_by_test_id("workspace").get_attribute("data-ahead") or 0)


@pytest.mark.parametrize("lacks", ["WebAssembly", pytest.param("a runtime that starts", marks=pytest.mark.soak)])
def test_a_browser_that_cannot_run_the_decoder_is_answered_by_the_server_and_stores_what_it_shows(
    browser, new_dataset, cookies, script, maskloop, lacks
):
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    try:
        context.add_cookies(cookies)
        if lacks == "WebAssembly":
            context.add_init_script("delete globalThis.WebAssembly")
        else:
            context.route("**/*.wasm", lambda route: route.abort())
        page = context.new_page()
        page.goto(f"{maskloop.address}/datasets/{new_dataset(1)}/label")
        expect(page.get_by_test_id("decoder")).to_contain_text("on the server", timeout=60_000)
        page.keyboard.press("o")
        expect(page.get_by_text("it looks at the whole photo only").first).to_be_visible()
        expect(page.get_by_text("looking closer")).to_be_hidden()
        where = Person(page).place
        for number, share in enumerate([(0.4, 0.5), (0.6, 0.5)], 1):
            page.mouse.click(*where(share, (240, 160)))
            wait_until("an answer", lambda: clicks_answered(page) == number or None, 30)  # noqa: B023
        page.keyboard.press("Enter")
        saved(page)
        shown = shown_masks(page)
        assert len(shown) == 1
        assert_same(shown, stored_masks(script, page.evaluate(PHOTO)))
    finally:
        context.close()


def test_without_cross_origin_isolation_one_thread_answers(browser, new_dataset, cookies, maskloop):
    context = browser.new_context(viewport={"width": 1280, "height": 720})

    def without_isolation(route: Route) -> None:
        reply = route.fetch()
        kept = {name: value for name, value in reply.headers.items() if not name.startswith("cross-origin-")}
        route.fulfill(response=reply, headers=kept)

    try:
        context.add_cookies(cookies)
        context.route("**/label", without_isolation)
        page = context.new_page()
        page.goto(f"{maskloop.address}/datasets/{new_dataset(1)}/label")
        click(page)
        assert page.evaluate("crossOriginIsolated") is False
        expect(page.get_by_test_id("decoder")).to_contain_text("1 thread")
    finally:
        context.close()


def test_a_page_of_an_older_version_says_so_and_is_reloaded_when_the_person_wants(new_dataset, new_browser, script):
    page = new_browser(new_dataset(1))
    click(page)
    expect(page.get_by_test_id("new-version")).to_be_hidden()

    def another_build(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, headers={**reply.headers, "x-maskloop-build": "another"})

    page.context.route("**/api/masks/**", another_build)
    page.keyboard.press("Enter")
    saved(page)
    notice = page.get_by_test_id("new-version")
    expect(notice).to_contain_text("There is a new version of Maskloop.")
    page.context.unroute("**/api/masks/**")
    click(page, 0.3, 0.3)
    before = in_work(page)
    notice.get_by_role("button", name="Reload now").click()
    expect(notice).to_be_hidden()
    wait_until("the object in work", lambda: in_work(page) is not None or None, 30)
    assert np.array_equal(before, in_work(page))
    assert len(shown_masks(page)) == 1
