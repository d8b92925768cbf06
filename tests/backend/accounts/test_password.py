"""A person changes their own password."""

import pytest
from django.test import Client
from rest_framework.authtoken.models import Token

from tests.backend.accounts.test_login import PASSWORD, log_in

pytestmark = pytest.mark.django_db
NEW = "a horse on a bicycle"


@pytest.fixture(autouse=True)
def _forget_attempts():
    from django.core.cache import cache

    cache.clear()


def change(browser, current, new):
    headers = {"X-CSRFToken": browser.cookies["csrftoken"].value}
    body = {"current": current, "new": new}
    return browser.post("/api/me/password/", body, content_type="application/json", headers=headers)


def test_this_browser_stays_logged_in_and_everything_else_is_logged_out(admin):
    here, elsewhere = Client(), Client()
    for browser in (here, elsewhere):
        log_in(browser, admin.username)
    Token.objects.create(user=admin)
    assert change(here, PASSWORD, NEW).status_code == 204
    assert here.get("/api/datasets/").status_code == 200
    assert elsewhere.get("/api/datasets/").status_code == 401
    assert not Token.objects.exists()
    assert log_in(Client(), admin.username).status_code == 400
    assert log_in(Client(), admin.username, NEW).status_code == 200


@pytest.mark.parametrize(("current", "new"), [("wrong", NEW), (PASSWORD, "short"), (PASSWORD, "98765432101")])
def test_a_wrong_or_easy_password_changes_nothing(admin, current, new):
    browser = Client()
    log_in(browser, admin.username)
    assert change(browser, current, new).json()["code"] == "password_refused"
    assert log_in(Client(), admin.username).status_code == 200


def test_the_rules_can_be_read(admin, as_user):
    assert any("10 characters" in rule for rule in as_user(admin).get("/api/me/password/").json()["rules"])
