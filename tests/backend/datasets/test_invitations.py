"""A team comes in by links: each for one person, once, for a while."""

import pytest
from django.test import Client

from backend.accounts.models import User
from backend.config.sources import Source
from backend.datasets.models import Invitation, Membership

pytestmark = pytest.mark.django_db
GOOD = "a horse on a bicycle"


@pytest.fixture(autouse=True)
def _forget_attempts():
    from django.core.cache import cache

    cache.clear()


@pytest.fixture
def invite(dataset, admin, as_user):
    def ask(role: str = "annotator", **more):
        reply = as_user(admin).post(f"/api/datasets/{dataset.id}/invitations/", {"role": role, **more}, format="json")
        assert reply.status_code == 201, reply.json()
        return reply.json()["token"]

    return ask


@pytest.fixture
def browser():
    """Nobody in particular, who has opened the page."""
    client = Client(enforce_csrf_checks=True)
    client.get("/api/session/")
    return client


def post(browser, path, **body):
    headers = {"X-CSRFToken": browser.cookies["csrftoken"].value}
    return browser.post(f"/api/invited/{path}", body, content_type="application/json", headers=headers)


def test_a_person_without_an_account_joins_by_a_link_and_is_logged_in(invite, browser, dataset):
    token = invite("reviewer", note="Ada")
    told = post(browser, "", token=token).json()
    assert (told["dataset"], told["role"]) == ("Street", "reviewer")
    assert any("10 characters" in rule for rule in told["password_rules"])
    reply = post(browser, "accept/", token=token, username="ada", password=GOOD)
    assert reply.json() == {"dataset": str(dataset.id)}
    assert browser.get("/api/session/").json()["user"]["username"] == "ada"
    assert Membership.objects.get(user__username="ada", dataset=dataset).role == "reviewer"
    assert not User.objects.get(username="ada").is_staff


def test_a_link_works_once(invite, browser):
    token = invite()
    assert post(browser, "accept/", token=token, username="ada", password=GOOD).status_code == 200
    other = Client(enforce_csrf_checks=True)
    other.get("/api/session/")
    for path in ("", "accept/"):
        reply = post(other, path, token=token, username="bob", password=GOOD)
        assert (reply.status_code, reply.json()["code"]) == (404, "invitation_invalid")
    assert not User.objects.filter(username="bob").exists()


def test_a_link_that_ran_out_or_was_taken_back_is_worth_nothing(invite, browser, dataset, admin, as_user):
    token = invite()
    Invitation.objects.update(expires_at="2020-01-01T00:00Z")
    assert post(browser, "", token=token).status_code == 404
    token = invite()
    (shown,) = as_user(admin).get(f"/api/datasets/{dataset.id}/invitations/").json()
    assert as_user(admin).delete(f"/api/invitations/{shown['id']}/").status_code == 204
    assert post(browser, "accept/", token=token, username="ada", password=GOOD).status_code == 404


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [
        ("ada", "short", "invalid_input"),
        ("ada", "1234567890", "invalid_input"),
        ("adalovelace", "adalovelace1", "invalid_input"),
        ("", GOOD, "invalid_input"),
        ("a name, with signs!", GOOD, "invalid_input"),
        ("stranger", GOOD, "username_taken"),
    ],
)
def test_a_bad_name_or_password_is_refused_and_the_link_stays_good(invite, browser, stranger, username, password, code):
    token = invite()
    reply = post(browser, "accept/", token=token, username=username, password=password)
    assert (reply.status_code, reply.json()["code"]) == (400, code)
    assert post(browser, "", token=token).status_code == 200


def test_a_name_that_opens_an_s3_source_is_not_for_whoever_takes_it_first(invite, browser, settings):
    settings.S3_SOURCES = {"camera": Source("camera", ("factory",), users=("ada",))}
    for name in ("ada", "Ada"):
        reply = post(browser, "accept/", token=invite(), username=name, password=GOOD)
        assert (reply.status_code, reply.json()["code"]) == (400, "username_taken")


def test_somebody_with_an_account_joins_as_they_are(invite, browser, stranger, dataset):
    browser.force_login(stranger)
    assert post(browser, "accept/", token=invite()).status_code == 200
    assert Membership.objects.get(user=stranger).role == "annotator"
    assert post(browser, "accept/", token=invite("reviewer")).status_code == 200
    assert Membership.objects.get(user=stranger).role == "annotator", "an invitation changes no role"


def test_the_database_does_not_know_the_link(invite):
    token = invite()
    row = Invitation.objects.get()
    assert token not in str(vars(row))
    assert len(row.token_hash) == 64


@pytest.mark.parametrize("loss", ["role", "membership", "account"])
def test_a_link_of_somebody_who_is_no_admin_any_more_is_worth_nothing(invite, browser, dataset, admin, loss):
    token = invite("admin")
    own = Membership.objects.filter(user=admin)
    if loss == "role":
        own.update(role="reviewer")
    elif loss == "membership":
        own.delete()
    else:
        User.objects.filter(id=admin.id).update(is_active=False)
    for path in ("", "accept/"):
        reply = post(browser, path, token=token, username="ada", password=GOOD)
        assert (reply.status_code, reply.json()["code"]) == (404, "invitation_invalid")
    assert not User.objects.filter(username="ada").exists()


def test_only_an_admin_invites(dataset, reviewer, stranger, as_user, invite):
    invite()
    invitation = Invitation.objects.get()
    for user, status in ((reviewer, 403), (stranger, 404)):
        path = f"/api/datasets/{dataset.id}/invitations/"
        assert as_user(user).get(path).status_code == status
        assert as_user(user).post(path, {"role": "admin"}, format="json").status_code == status
        assert as_user(user).delete(f"/api/invitations/{invitation.id}/").status_code == status


def test_without_the_csrf_token_nobody_joins(invite, browser, stranger):
    browser.force_login(stranger)
    body = {"token": invite()}
    assert browser.post("/api/invited/accept/", body, content_type="application/json").status_code == 403
    assert not Membership.objects.filter(user=stranger).exists()
