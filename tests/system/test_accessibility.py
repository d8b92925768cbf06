"""Every page, as axe sees it: no violation of WCAG 2.1 A or AA."""

import pytest
from playwright.sync_api import Page, expect

from backend.launch.install import FRONTEND
from tests.system.client import Client
from tests.system.conftest import Running, artefact

AXE = FRONTEND / "node_modules" / "axe-core" / "axe.min.js"
RULES = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}"


@pytest.fixture
def page(browser, maskloop: Running):
    # The page's own policy lets no foreign script in, axe included.
    context = browser.new_context(viewport={"width": 1280, "height": 720}, bypass_csp=True)
    page = context.new_page()
    page.goto(maskloop.address)
    yield page
    context.close()


def log_in(page: Page, maskloop: Running) -> None:
    page.get_by_label("Name").fill("admin")
    page.locator("input[type=password]").fill(maskloop.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Demo")).to_be_visible()


def violations(page: Page) -> list[str]:
    page.add_script_tag(path=AXE)
    # Half faded in, a dialog has less contrast than it will have.
    page.evaluate("Promise.allSettled(document.getAnimations().map(animation => animation.finished))")
    found = page.evaluate(f"axe.run(document, {RULES})")["violations"]
    return [f"{v['id']}: {v['help']}: {n['html'][:160]}" for v in found for n in v["nodes"]]


def test_no_page_has_a_violation(page: Page, maskloop: Running):
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert violations(page) == []
    log_in(page, maskloop)
    assert violations(page) == []
    page.get_by_role("link", name="Demo").click()
    expect(page.get_by_role("link", name="chelsea.png: Waiting")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("link", name="Loop", exact=True).click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    expect(page.get_by_text("maskloop_tiny")).to_be_visible()
    assert violations(page) == []
    for name, heading in (
        ("Dashboard", "Clicks per mask"),
        ("Import", "From S3"),
        ("Releases",) * 2,
        ("People",) * 2,
        ("Settings",) * 2,
    ):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        assert violations(page) == [], name
    page.goto(page.url.replace("/settings", "/compare"))
    figures, none = page.get_by_role("heading", name="On the test photos"), page.get_by_text("one model so far")
    expect(figures.or_(none)).to_be_visible()
    assert violations(page) == []
    page.get_by_role("link", name="Label photos").click()
    expect(page.get_by_test_id("decoder")).to_contain_text("in this browser", timeout=120_000)
    assert violations(page) == []
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert violations(page) == []


def test_an_invitation_and_ones_own_pages_have_none_either_in_every_language(
    page: Page, maskloop: Running, script: Client
):
    demo = next(one["id"] for one in script.get("/api/datasets/") if one["name"] == "Demo")
    token = script.post(f"/api/datasets/{demo}/invitations/", {"role": "annotator"})["token"]
    page.goto(f"{maskloop.address}/join#{token}")
    expect(page.get_by_role("heading", name="Join Demo")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Name").fill("somebody-new")
    page.locator("input[type=password]").fill("a long password")
    page.get_by_role("button", name="Make an account and join").click()
    expect(page.get_by_role("link", name="Label photos")).to_be_visible()
    for language, code, headings in (
        ("English", "en", ("Today", "Password")),
        ("Deutsch", "de", ("Heute", "Passwort")),
    ):
        page.locator("header select").select_option(language)
        expect(page.locator("html")).to_have_attribute("lang", code)
        places = zip((f"/datasets/{demo}", "/me", "/me/account"), ("Demo", *headings), strict=True)
        for place, heading in places:
            page.goto(maskloop.address + place)
            expect(page.get_by_role("heading", name=heading)).to_be_visible()
            assert violations(page) == [], (language, place)
            page.screenshot(path=artefact(f"{code}-{heading}.png"))


def test_the_page_is_readable_on_a_4k_screen(browser, maskloop: Running):
    context = browser.new_context(viewport={"width": 3840, "height": 2160})
    page = context.new_page()
    page.goto(maskloop.address)
    log_in(page, maskloop)
    page.get_by_role("link", name="Demo").click()
    expect(page.get_by_role("link", name="chelsea.png: Waiting")).to_be_visible()
    page.screenshot(path=artefact("dataset-4k.png"))
    page.get_by_role("link", name="Label photos").click()
    expect(page.get_by_test_id("decoder")).to_contain_text("in this browser", timeout=120_000)
    page.screenshot(path=artefact("workspace-4k.png"))
    size = page.get_by_text("Next object").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert size > 20, f"{size} px on 2160 lines"
    context.close()
