"""A day's work, and everything that goes wrong in it: what the page showed is what the database has, pixel for pixel."""

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.system.client import Client, wait_until
from tests.system.conftest import Running, joined, log_in, start, world_readable
from tests.system.shown import PHOTO, assert_same, clicks_answered, in_work, shown_masks, stored_masks
from tests.system.test_journey import Person, images_of, offered
from tests.system.test_safety import click, saved

pytestmark = pytest.mark.soak
SIZE = (240, 160)

Shown = dict[str, dict[str, np.ndarray]]  # of photos, the masks that the page showed of them


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    return Person(page).place((x, y), SIZE)


def drag(page: Page, *way: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *way[0]))
    page.mouse.down()
    for point in way[1:]:
        page.mouse.move(*at(page, *point), steps=4)
    page.mouse.up()


def answered(page: Page, clicks: int) -> None:
    wait_until(f"{clicks} prompts answered", lambda: clicks_answered(page) == clicks or None, 30)


def drawn(page: Page) -> None:
    """The photo is there, so hands may begin."""
    expect(page.get_by_role("button", name="Submit as complete")).to_be_enabled(timeout=30_000)


def objects(page: Page, count: int) -> None:
    expect(page.get_by_test_id("object-count")).to_have_text(str(count), timeout=20_000)


def submit(page: Page, how: Callable[[], None]) -> tuple[str, dict[str, np.ndarray]]:
    """Returns which photo, and what the page showed of it in the end."""
    wait_until("the photo", lambda: page.evaluate(PHOTO) or None, 30)
    photo, shown = page.evaluate(PHOTO), shown_masks(page)
    page.wait_for_timeout(450)  # nobody submits a photo that they have not seen
    how()
    wait_until("another photo, or none", lambda: page.evaluate(PHOTO) != photo or None, 30)
    return photo, shown


def assert_stored(script: Client, dataset: str, shown: Shown) -> None:
    """All that was shown, on the photos where it was, submitted, and nothing besides."""
    images = {image["id"]: image for image in images_of(script, dataset)}
    assert {i for i, image in images.items() if image["status"] == "annotated"} == set(shown)
    for photo in images:
        assert_same(shown.get(photo, {}), stored_masks(script, photo))


# Ten photos


def by_mouse(page: Page, number: int) -> None:
    """An object or two on a photo, of another kind each time."""
    button = page.get_by_role("button", name=re.compile("^Accept"))
    page.get_by_role("button", name="Clicks and boxes for the model", exact=True).click()
    page.mouse.click(*at(page, 0.5, 0.5))
    answered(page, 1)
    if number % 3 == 0:
        offered(page).nth(number % 2).click()
    if number % 3 == 1:
        page.mouse.click(*at(page, 0.1, 0.1), button="right")
        answered(page, 2)
    button.click()
    objects(page, 1)
    if number % 4 == 1:
        drag(page, (0.2, 0.2), (0.6, 0.7))  # a box
        answered(page, 1)
    elif number % 4 == 2:
        page.get_by_role("button", name="Brush", exact=True).click()
        drag(page, (0.3, 0.3), (0.6, 0.3), (0.6, 0.6))
        page.get_by_role("button", name="Eraser", exact=True).click()
        drag(page, (0.45, 0.2), (0.45, 0.4))
    elif number % 4 == 3:
        page.get_by_role("button", name="Lasso", exact=True).click()
        drag(page, (0.2, 0.6), (0.4, 0.9), (0.6, 0.8), (0.5, 0.6), (0.25, 0.6))
    else:
        return
    button.click()
    objects(page, 2)
    if number == 6:
        page.get_by_role("button", name="Remove object 1").click()
        objects(page, 1)


def by_keyboard(page: Page, number: int) -> None:
    key = page.keyboard.press
    for _ in range(number):
        key("ArrowRight")
    key("d")
    answered(page, 1)
    if number % 3 == 0:
        key("2")
    if number % 3 == 1:
        key("Shift+ArrowLeft")
        key("Shift+D")
        answered(page, 2)
    key("Enter")
    objects(page, 1)
    if number % 4 == 1:
        key("c")
        key("Shift+ArrowRight")
        key("Shift+ArrowDown")
        key("c")
        answered(page, 1)
    elif number % 4 == 2:
        key("b")
        key("c")
        key("Shift+ArrowUp")
        key("Shift+ArrowLeft")
        key("c")
        key("e")
        key("d")
    elif number % 4 == 3:
        key("p")
        for step in ("Shift+ArrowRight", "Shift+ArrowDown", "Shift+ArrowLeft"):
            key("d")
            key(step)
        key("Enter")
    else:
        return
    key("Enter")
    objects(page, 2)
    key("q")
    if number == 6:
        key("n")
        key("Delete")
        objects(page, 1)
        key("Escape")


@pytest.mark.parametrize("hand", [by_mouse, by_keyboard])
def test_ten_photos_are_labelled(new_dataset, new_browser, script, hand):
    dataset = new_dataset(10)
    page = new_browser(dataset)
    shown: Shown = {}
    for number in range(10):
        Person(page).wait_until_ready()
        wait_until("the photo", lambda: page.evaluate(PHOTO) or None, 30)
        hand(page, number)
        if hand is by_mouse:
            photo, masks = submit(page, page.get_by_role("button", name=re.compile(r"^Submit(?! as)")).click)
        else:
            photo, masks = submit(page, lambda: page.keyboard.press("Control+Enter"))
        shown[photo] = masks
    expect(page.get_by_text("Every photo is labelled.")).to_be_visible()
    saved(page)
    assert len(shown) == 10
    assert sum(map(len, shown.values())) == 10 + 7 - 1  # each one; a second one on seven of them; one was removed
    assert_stored(script, dataset, shown)


# The server goes away


def test_the_server_is_killed_in_the_middle_and_brought_back(browser, jpeg, tmp_path: Path):
    var = world_readable(tmp_path) / "var"
    server = start(var, DEMO="0")
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    shown: Shown = {}

    def label(*clicks: tuple[float, float]) -> None:
        for number, (x, y) in enumerate(clicks, 1):
            click(page, x, y)
            page.keyboard.press("Enter")
            objects(page, number)

    def done() -> None:
        photo, masks = submit(page, lambda: page.keyboard.press("Control+Enter"))
        shown[photo] = masks

    def kill() -> None:
        web = [p for p in psutil.Process(server.process.pid).children() if "uvicorn" in p.cmdline()]
        assert len(web) == 1
        web[0].kill()
        server.process.wait(60)  # where one process dies `make run` stops

    def bring_back() -> Running:
        again = start(var, port=server.port, DEMO="0")
        again.wait_until_ready()
        return again

    try:
        server.wait_until_ready()
        script = server.admin()
        dataset = script.post("/api/datasets/", {"name": "Killed"})["id"]
        files = {f"{n}.jpg": jpeg(width=SIZE[0], height=SIZE[1], seed=n) for n in range(5)}
        script.upload(f"/api/datasets/{dataset}/upload/", files)
        log_in(page, server)
        page.goto(f"{server.address}/datasets/{dataset}/label")
        label((0.5, 0.5))
        saved(page)
        page.wait_for_function("document.querySelector('[data-testid=workspace]').dataset.ahead === '2'")
        # Masks on their way at the very moment, and the photo's submission behind them.
        label_more = [(0.3, 0.3), (0.7, 0.7)]
        for number, (x, y) in enumerate(label_more, 2):
            click(page, x, y)
            page.keyboard.press("Enter")
            objects(page, number)
        kill()
        done()
        label((0.4, 0.6))  # the next photo was there already
        expect(page.get_by_test_id("saving")).to_contain_text("Not saved yet")
        server = bring_back()
        saved(page)
        done()
        # Once more, with nothing but an object in work.
        click(page, 0.5, 0.4)
        before = in_work(page)
        kill()
        server = bring_back()
        page.reload()  # a fresh page from the server that came back
        wait_until("the object in work", lambda: in_work(page) is not None or None, 60)
        assert np.array_equal(before, in_work(page))
        page.keyboard.press("Enter")
        objects(page, 1)
        done()
        saved(page)
        assert [len(masks) for masks in shown.values()] == [3, 1, 1]
        assert_stored(Client(server.address, "admin", server.password), dataset, shown)
    finally:
        context.close()
        server.stop(signal.SIGTERM)


# Two people


def test_two_people_in_two_browsers_share_one_queue(new_dataset, new_browser, browser, maskloop, script):
    dataset = new_dataset(8)
    other = joined(browser, maskloop, script, dataset, "second")
    pages = [new_browser(dataset), other]
    shown: Shown = {}
    by: dict[str, set[str]] = {"0": set(), "1": set()}
    for turn in range(8):
        who = turn % 2
        page = pages[who]
        wait_until("a photo", lambda own=page: own.evaluate(PHOTO) or None, 60)
        click(page, 0.4 + 0.05 * who, 0.5)
        page.keyboard.press("Enter")
        objects(page, 1)
        photo, masks = submit(page, lambda own=page: own.keyboard.press("Control+Enter"))
        assert photo not in shown, "a photo was handed out twice"
        shown[photo] = masks
        by[str(who)].add(photo)
    for page in pages:
        expect(page.get_by_text("Every photo is labelled.")).to_be_visible(timeout=30_000)
        saved(page)
    assert [len(photos) for photos in by.values()] == [4, 4]
    assert_stored(script, dataset, shown)
    authors = {photo: {mask["author"] for mask in script.get(f"/api/images/{photo}/masks/")} for photo in shown}
    assert len(set.union(*(authors[photo] for photo in by["0"]))) == 1
    assert set.union(*(authors[p] for p in by["0"])).isdisjoint(set.union(*(authors[p] for p in by["1"])))
    other.context.close()


# Reloads


def test_a_reload_between_every_two_actions_changes_nothing(new_dataset, new_browser, script):
    dataset = new_dataset(2)
    page = new_browser(dataset)
    shown: Shown = {}

    def state() -> tuple[Any, Any, dict[str, np.ndarray]]:
        return page.evaluate(PHOTO), in_work(page), shown_masks(page)

    def reload() -> None:
        photo, object_in_work, masks = state()
        page.reload()
        wait_until("the photo", lambda: page.evaluate(PHOTO) == photo or None, 30)
        wait_until("its masks", lambda: shown_masks(page).keys() == masks.keys() or None, 30)
        if object_in_work is not None:
            wait_until("the object in work", lambda: True if in_work(page) is not None else None, 30)
            assert np.array_equal(object_in_work, in_work(page))
        else:
            page.wait_for_timeout(300)
            assert in_work(page) is None
        assert_same(masks, shown_masks(page))

    def press(*keys: str) -> None:
        for key in keys:
            page.keyboard.press(key)

    def prompt(x: float, y: float, clicks: int, button: Any = "left") -> None:
        Person(page).wait_until_ready()
        page.mouse.click(*at(page, x, y), button=button)
        answered(page, clicks)

    def box() -> None:
        Person(page).wait_until_ready()
        drag(page, (0.3, 0.2), (0.7, 0.8))
        answered(page, 1)

    def painted() -> None:
        drawn(page)
        press("b")
        before = in_work(page)
        drag(page, (0.2, 0.2), (0.5, 0.2), (0.5, 0.5))
        wait_until("the stroke", lambda: None if same(before, in_work(page)) else True, 10)

    def erased() -> None:
        drawn(page)
        press("e")
        before = in_work(page)
        drag(page, (0.4, 0.1), (0.4, 0.4))
        wait_until("the stroke", lambda: None if same(before, in_work(page)) else True, 10)
        press("q")

    def selected_and_removed() -> None:
        press("n", "Delete")
        objects(page, 1)

    def taken_back() -> None:
        press("z")
        answered(page, 2)

    def accepted(count: int) -> None:
        press("Enter")
        objects(page, count)

    actions: list[Callable[[], object]] = [
        lambda: prompt(0.5, 0.5, 1),
        lambda: press("Tab"),
        lambda: prompt(0.45, 0.55, 2),
        lambda: prompt(0.1, 0.1, 3, "right"),
        taken_back,
        lambda: accepted(1),
        painted,
        erased,
        lambda: accepted(2),
        selected_and_removed,
        box,
        lambda: press("Escape"),
        box,
        lambda: accepted(2),
    ]
    for _ in range(2):
        wait_until("a photo", lambda: page.evaluate(PHOTO), 30)
        for action in actions:
            action()
            reload()
        photo, masks = submit(page, lambda: page.keyboard.press("Control+Enter"))
        shown[photo] = masks
        page.reload()
    expect(page.get_by_text("Every photo is labelled.")).to_be_visible(timeout=30_000)
    assert [len(masks) for masks in shown.values()] == [2, 2]
    assert_stored(script, dataset, shown)


def same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is other if one is None or other is None else np.array_equal(one, other)
