"""A person changes their own password."""

import pytest
from django.core.management import call_command
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


def reset_by_command(username, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda **_: NEW)
    call_command("changepassword", username)


def reset_on_the_admin_site(user, monkeypatch, **form):
    superuser = type(user).objects.create_superuser("root", password=PASSWORD)
    browser = Client()
    browser.force_login(superuser)
    reply = browser.post(f"/admin/accounts/user/{user.id}/password/", form)
    assert reply.status_code == 302


@pytest.mark.parametrize(
    "reset",
    [
        lambda user, patch: reset_by_command(user.username, patch),
        lambda user, patch: reset_on_the_admin_site(user, patch, usable_password="true", password1=NEW, password2=NEW),
        lambda user, patch: reset_on_the_admin_site(user, patch, usable_password="false", **{"unset-password": "1"}),
    ],
    ids=["by the command", "on the admin site", "taken away on the admin site"],
)
def test_tokens_end_with_the_password_whoever_resets_it(stranger, reset, monkeypatch):
    key = Token.objects.create(user=stranger).key
    reset(stranger, monkeypatch)
    stranger.refresh_from_db()
    assert not stranger.check_password(PASSWORD)
    assert Client().get("/api/datasets/", headers={"Authorization": f"Token {key}"}).status_code == 401


def test_a_stronger_hash_of_the_same_password_ends_no_token(stranger, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
    stranger.set_password(PASSWORD)
    stranger.save()
    Token.objects.create(user=stranger)
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[1:]
    settings.PASSWORD_HASHERS.append("django.contrib.auth.hashers.MD5PasswordHasher")
    before = stranger.password
    assert type(stranger).objects.get(id=stranger.id).check_password(PASSWORD)
    stranger.refresh_from_db()
    assert stranger.password != before
    assert Token.objects.filter(user=stranger).exists()
