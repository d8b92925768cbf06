"""The API's own page."""

from playwright.sync_api import expect

from tests.system.conftest import Running


def test_the_api_can_be_read_in_the_browser(browser, maskloop: Running):
    page = browser.new_page()
    problems = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(f"{maskloop.address}/api/docs/")
    expect(page.get_by_role("heading", name="Maskloop")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("/api/masks/{mask_id}/").first).to_be_visible()
    assert problems == []
    page.close()
