"""Every page and state that has a picture in docs/screens. A new one is one line in `SCREENS`.

Each is opened at its address; what leads to its state is a function of the page, if one is needed. `{dataset}` in an address is
the demo dataset, which by then has masks by people and by the model, a training run, a release and an invitation.
"""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page, expect

WAIT_MS = 60_000


@dataclass(frozen=True, slots=True)
class Screen:
    name: str  # of the file, and of nothing else
    address: str
    lead_to: Callable[[Page], object] = lambda page: None
    is_logged_in: bool = True


def refused_login(page: Page) -> None:
    page.get_by_label("Name").fill("nobody")
    page.locator("input[type=password]").fill("not the password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()


def new_dataset(page: Page) -> None:
    page.get_by_role("button", name="New dataset").click()
    expect(page.get_by_role("dialog", name="New dataset")).to_be_visible()


def refused_files(page: Page) -> None:
    page.get_by_label("Files", exact=True).set_input_files(
        [
            {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"Dear diary"},
            {"name": "empty.png", "mimeType": "image/png", "buffer": b""},
        ]
    )
    expect(page.get_by_test_id("upload")).to_have_attribute("data-state", "done", timeout=WAIT_MS)


def removal(page: Page) -> None:
    page.get_by_role("button", name="Remove admin").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def photo(page: Page) -> None:
    expect(page.get_by_test_id("decoder")).to_contain_text("in this browser", timeout=WAIT_MS)


def click(page: Page) -> None:
    photo(page)
    stage = page.get_by_test_id("stage").bounding_box()
    assert stage
    page.mouse.click(stage["x"] + stage["width"] * 0.5, stage["y"] + stage["height"] * 0.55)
    offered = page.get_by_role("radiogroup", name="Masks offered").get_by_role("radio")
    expect(offered).to_have_count(3, timeout=WAIT_MS)


def unsaved(page: Page) -> None:
    page.context.route("**/api/masks/**", lambda route: route.abort())
    click(page)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("saving")).to_contain_text("Not saved yet")


def keys(page: Page) -> None:
    photo(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


SCREENS = (
    Screen("login", "/", is_logged_in=False),
    Screen("login-refused", "/", refused_login, is_logged_in=False),
    Screen("join", "/join#{token}", is_logged_in=False),
    Screen("datasets", "/"),
    Screen("datasets-new", "/", new_dataset),
    Screen("photos", "/datasets/{dataset}"),
    Screen("photos-chosen", "/datasets/{dataset}?origin=automatic&sort=least_sure"),
    Screen("photos-none", "/datasets/{dataset}?name=nothing+of+this+name"),
    Screen("dashboard", "/datasets/{dataset}/dashboard"),
    Screen("compare", "/datasets/{dataset}/compare"),
    Screen("import", "/datasets/{dataset}/import"),
    Screen("import-refused", "/datasets/{dataset}/import", refused_files),
    Screen("loop", "/datasets/{dataset}/loop"),
    Screen("releases", "/datasets/{dataset}/releases"),
    Screen("people", "/datasets/{dataset}/people"),
    Screen("people-remove", "/datasets/{dataset}/people", removal),
    Screen("settings", "/datasets/{dataset}/settings"),
    Screen("me", "/me"),
    Screen("account", "/me/account"),
    Screen("workspace", "/datasets/{dataset}/label?image={image}", photo),
    Screen("workspace-click", "/datasets/{dataset}/label?image={image}", click),
    Screen("workspace-unsaved", "/datasets/{dataset}/label?image={image}", unsaved),
    Screen("workspace-keys", "/datasets/{dataset}/label?image={image}", keys),
)
