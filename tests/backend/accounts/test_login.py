"""A session with CSRF for the browser, a token for scripts."""

import pytest
from django.test import Client

PASSWORD = "a password of some length"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _forget_attempts():
    from django.core.cache import cache

    cache.clear()


@pytest.fixture
def browser():
    return Client(enforce_csrf_checks=True)


def log_in(browser, username, password=PASSWORD):
    browser.get("/api/session/")
    headers = {"X-CSRFToken": browser.cookies["csrftoken"].value}
    body = {"username": username, "password": password}
    return browser.post("/api/session/", body, content_type="application/json", headers=headers)


def test_the_browser_logs_in_with_a_session(browser, admin):
    assert browser.get("/api/session/").json() == {"user": None}
    assert log_in(browser, admin.username).json()["user"]["username"] == admin.username
    assert browser.get("/api/datasets/").status_code == 200


def test_a_wrong_password_is_refused_in_words(browser, admin):
    reply = log_in(browser, admin.username, "wrong")
    assert (reply.status_code, reply.json()["code"]) == (400, "login_failed")


def test_without_the_csrf_token_nothing_is_changed(browser, admin):
    log_in(browser, admin.username)
    reply = browser.post("/api/datasets/", {"name": "x"}, content_type="application/json")
    assert (reply.status_code, reply.json()["code"]) == (403, "not_allowed")


def test_a_script_gets_a_token_and_needs_no_csrf(browser, admin):
    body = {"username": admin.username, "password": PASSWORD}
    token = browser.post("/api/token/", body, content_type="application/json").json()["token"]
    headers = {"Authorization": f"Token {token}"}
    reply = browser.post("/api/datasets/", {"name": "x"}, content_type="application/json", headers=headers)
    assert reply.status_code == 201


def test_nobody_gets_nothing(browser):
    for path in ("/api/datasets/", "/api/stream/"):
        reply = browser.get(path)
        assert (reply.status_code, reply.json()["code"]) == (401, "not_logged_in"), path


def test_guessing_passwords_is_slowed_down(browser, admin):
    replies = [log_in(browser, admin.username, "wrong").status_code for _ in range(12)]
    assert replies[0] == 400
    assert replies[-1] == 429


def test_guessing_is_slowed_down_whoever_is_logged_in_and_at_the_admin_sites_door_too(admin, annotator, reviewer):
    browsers = [Client(), Client(), Client()]
    browsers[0].force_login(annotator)
    browsers[1].force_login(reviewer)
    replies = [log_in(browsers[n % 3], admin.username, "wrong").status_code for n in range(10)]
    assert set(replies) == {400}
    assert log_in(browsers[0], admin.username, "wrong").status_code == 429
    guess = {"username": admin.username, "password": "wrong"}
    assert Client().post("/admin/login/", guess).status_code == 429
    assert Client().get("/admin/login/").status_code == 200


def test_the_admin_sites_door_opens_for_the_right_password(admin):
    admin.is_staff = admin.is_superuser = True
    admin.save()
    reply = Client().post("/admin/login/?next=/admin/", {"username": admin.username, "password": PASSWORD})
    assert (reply.status_code, reply["Location"]) == (302, "/admin/")


def test_the_schema_and_its_page_are_served(browser, admin):
    log_in(browser, admin.username)
    assert browser.get("/api/schema/?format=json").json()["info"]["title"] == "Maskloop"
    assert browser.get("/api/docs/").status_code == 200
