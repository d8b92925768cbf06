"""Without a mouse, and without looking: keys do everything, and a live region tells what happened."""

import pytest
from playwright.sync_api import Page, expect

from tests.system.client import wait_until
from tests.system.conftest import Running, artefact
from tests.system.shown import PHOTO
from tests.system.test_accessibility import log_in, violations


@pytest.fixture
def dataset(maskloop: Running, jpeg, request):
    client = maskloop.admin()
    made = client.post(
        "/api/datasets/", {"name": request.node.name[:60], "guidelines": "# Discs\n\nOutline **every** disc."}
    )
    client.upload(f"/api/datasets/{made['id']}/upload/", {"discs.jpg": jpeg(width=480, height=320, seed=4)})
    return made["id"]


@pytest.fixture
def page(browser, maskloop: Running):
    context = browser.new_context(viewport={"width": 1280, "height": 720}, bypass_csp=True)
    page = context.new_page()
    page.goto(maskloop.address)
    log_in(page, maskloop)
    yield page
    context.close()


def test_an_object_is_labelled_without_a_mouse_and_a_live_region_says_what_happened(page: Page, maskloop, dataset):
    key = page.keyboard.press
    told, objects = page.get_by_test_id("announcements"), page.get_by_test_id("object-count")
    page.goto(f"{maskloop.address}/datasets/{dataset}/label")
    expect(page.get_by_test_id("decoder")).to_contain_text("in this browser", timeout=60_000)

    key("ArrowRight")
    expect(page.get_by_test_id("crosshair")).to_be_visible()
    key("d")
    expect(told).to_contain_text("Mask 1 of 3, predicted IoU")
    key("2")
    expect(told).to_contain_text("Mask 2 of 3")
    assert violations(page) == []
    key("Enter")
    expect(told).to_contain_text("Object accepted. Objects: 1")

    key("c")  # a box, from here ...
    key("Shift+ArrowRight")
    key("Shift+ArrowDown")
    key("Shift+ArrowDown")
    page.screenshot(path=artefact("keyboard-box.png"))
    key("c")  # ... to there
    expect(page.get_by_role("radiogroup").get_by_role("radio").first).to_be_visible()
    key("Shift+ArrowUp")
    for _ in range(5):
        key("ArrowLeft")
    key("Shift+D")  # not this, inside of it
    expect(told).to_contain_text("Mask, predicted IoU")
    key("Enter")
    expect(told).to_contain_text("Object accepted. Objects: 2")

    key("n")
    expect(told).to_contain_text("Object 1 of 2 selected")
    key("Delete")
    expect(told).to_contain_text("Object removed. Objects: 1")
    key("Control+z")
    expect(told).to_contain_text("Undone. Objects: 2")
    scale = float(page.get_by_test_id("stage").get_attribute("data-scale"))
    key("PageUp")
    wait_until("zoom", lambda: float(page.get_by_test_id("stage").get_attribute("data-scale")) > 1.2 * scale or None)

    key("g")
    expect(page.get_by_role("dialog", name="Guidelines").get_by_role("heading", name="Discs")).to_be_visible()
    assert violations(page) == []
    page.screenshot(path=artefact("guidelines.png"))
    key("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    key("Shift+Enter")
    expect(page.get_by_role("menuitem", name="Too difficult")).to_be_visible()
    assert violations(page) == []
    key("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)  # while it fades out, keys are still its own
    expect(objects).to_have_text("2")
    key("Control+Shift+Enter")
    expect(page.get_by_role("heading", name="Every photo is labelled.")).to_be_visible()
    expect(told).to_contain_text("Every photo is labelled.")
    client = maskloop.admin()
    (image,) = client.get(f"/api/datasets/{dataset}/images/")["results"]
    assert image["status"] == "annotated"
    assert len(client.get(f"/api/images/{image['id']}/masks/")) == 2


def test_a_key_that_is_held_clicks_once_opens_the_skip_menu_without_taking_a_reason_and_goes_on_moving(
    page: Page, maskloop, dataset
):
    key = page.keyboard
    page.goto(f"{maskloop.address}/datasets/{dataset}/label")
    expect(page.get_by_test_id("decoder")).to_contain_text("Model: ready", timeout=60_000)

    key.press("ArrowRight")
    crosshair = page.get_by_test_id("crosshair")
    begin = crosshair.bounding_box()["x"]
    for _ in range(4):
        key.down("ArrowRight")
    key.up("ArrowRight")
    assert crosshair.bounding_box()["x"] > begin + 12
    for _ in range(4):  # all but the first are the keyboard's own repetition
        key.down("d")
    key.up("d")
    expect(page.get_by_text("Object in work")).to_be_visible()
    expect(page.get_by_role("radiogroup").get_by_role("radio").first).to_be_visible()

    key.down("Shift")
    key.down("Enter")
    expect(page.get_by_role("menuitem", name="Blurred or too dark")).to_be_focused()
    key.down("Enter")
    key.up("Enter")
    key.up("Shift")
    expect(page.get_by_role("menu")).to_be_visible()
    expect(page.get_by_text("Object in work")).to_be_visible()


def test_who_removes_objects_in_the_list_by_keys_stays_in_the_list(page: Page, maskloop, dataset):
    key, objects = page.keyboard.press, page.get_by_test_id("object-count")
    page.goto(f"{maskloop.address}/datasets/{dataset}/label")
    wait_until("the photo", lambda: page.evaluate(PHOTO), 60)
    key("b")
    for number in (1, 2, 3):
        key("Shift+ArrowRight")
        key("d")
        key("Enter")
        expect(objects).to_have_text(str(number))
    page.get_by_role("button", name="Remove object 2").focus()
    key("Enter")
    expect(objects).to_have_text("2")
    expect(page.get_by_role("button", name="Remove object 2")).to_be_focused()  # which was the third
    for _ in range(3):  # held: the second and third are the keyboard's own repetition
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    expect(page.get_by_role("button", name="Remove object 1")).to_be_focused()
    expect(objects).to_have_text("1")
    key("Enter")
    expect(objects).to_have_text("0")
    expect(page.get_by_test_id("stage")).to_be_focused()


def test_a_key_is_changed_its_conflict_is_shown_and_the_server_keeps_it(page: Page, maskloop, dataset):
    page.goto(f"{maskloop.address}/datasets/{dataset}/label")
    client = maskloop.admin()
    try:
        page.get_by_role("button", name="Keys").click()
        sheet = page.get_by_role("dialog", name="Keys")
        page.screenshot(path=artefact("keys.png"))
        sheet.get_by_role("button", name="Change keys").click()
        sheet.get_by_label("Search a key or what it does").fill("Zoom in")
        sheet.get_by_role("button", name="Add a key: Zoom in").click()
        page.keyboard.press("g")
        expect(sheet.get_by_role("alert")).to_contain_text("G does this already: What this dataset wants outlined")
        assert violations(page) == []
        page.screenshot(path=artefact("keys-conflict.png"))
        sheet.get_by_role("button", name="Take it from there").click()
        wanted = {"zoom in": ["PageUp", "G"], "guidelines": []}
        wait_until("keys", lambda: client.get("/api/me/preferences/").get("keys") == wanted or None, 10)
        sheet.get_by_role("button", name="All as usual").click()
        wait_until("the usual keys", lambda: client.get("/api/me/preferences/")["keys"] == {} or None, 10)
    finally:
        client.patch("/api/me/preferences/", {"keys": None})
