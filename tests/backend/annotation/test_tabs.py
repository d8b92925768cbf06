"""The same photo in two windows of one person: only one of them writes."""

from uuid import uuid4

import pytest

from backend.annotation.models import Assignment, Mask, State
from backend.annotation.subscriptions import let_go_of_the_photos_of_who_left
from backend.common.models import Event
from tests.backend.conftest import mask_body

FIRST, SECOND = {"HTTP_X_MASKLOOP_TAB": "window 1"}, {"HTTP_X_MASKLOOP_TAB": "window 2"}


@pytest.fixture
def client(annotator, as_user):
    return as_user(annotator)


@pytest.fixture
def ask(client, dataset):
    def next_photo(besides=(), **window):
        body = {"besides": list(besides)}
        reply = client.post(f"/api/datasets/{dataset.id}/assignments/", body, format="json", **window)
        assert reply.status_code == 200, reply.content
        return reply.json()["assignment"]

    return next_photo


def put(client, assignment_id, mask_id=None, **window):
    body = mask_body(Assignment.objects.get(id=assignment_id))
    return client.put(f"/api/masks/{mask_id or uuid4()}/", body, format="json", **window)


def close(client, assignment_id, verb, **window):
    body = {"masks": [], "reason": "x"}
    return client.post(f"/api/assignments/{assignment_id}/{verb}/", body, format="json", **window)


def test_a_second_window_is_told_that_another_one_has_the_photo(photo, ask):
    first = ask(**FIRST)
    second = ask(**SECOND)
    assert (second["id"], second["tab"]) == (first["id"], "window 1")


def test_what_a_window_writes_that_does_not_have_the_photo_is_refused_and_changes_nothing(photo, ask, client):
    own = ask(**FIRST)["id"]
    mask_id = uuid4()
    assert put(client, own, mask_id, **FIRST).status_code == 201
    replies = [
        put(client, own, **SECOND),
        *(close(client, own, verb, **SECOND) for verb in ("renew", "submit", "skip", "release")),
        client.delete(f"/api/masks/{mask_id}/", **SECOND),
    ]
    assert {(reply.status_code, reply.json()["code"]) for reply in replies} == {(409, "assignment_in_another_tab")}
    assert {reply.json()["extra"]["tab"] for reply in replies} == {"window 1"}
    assert Assignment.objects.get().state == State.OPEN
    assert [mask.state for mask in Mask.objects.all()] == ["active"]


def test_a_window_that_takes_the_photo_over_writes_and_the_other_one_does_not(photo, ask, client):
    own = ask(**FIRST)["id"]
    reply = client.post(f"/api/assignments/{own}/take/", **SECOND)
    assert (reply.status_code, reply.json()["tab"]) == (200, "window 2")
    assert put(client, own, **FIRST).json()["code"] == "assignment_in_another_tab"
    assert put(client, own, **SECOND).status_code == 201
    taken = Event.objects.get(kind="assignment.taken")
    assert taken.data == {"image": str(photo.id), "tab": "window 2"}


def test_each_window_goes_on_with_its_own_photo_first(add_photo, ask, client):
    add_photo(1), add_photo(2)
    first = ask(**FIRST)
    other = ask(besides=[first["id"]], **SECOND)
    assert other["id"] != first["id"]
    assert ask(**SECOND)["id"] == other["id"]
    assert ask(**FIRST)["id"] == first["id"]


def test_the_same_mask_again_is_answered_the_same_in_whatever_window(photo, ask, client):
    own, mask_id = ask(**FIRST)["id"], uuid4()
    assert put(client, own, mask_id, **FIRST).status_code == 201
    assert put(client, own, mask_id, **SECOND).status_code == 200


def test_a_photo_that_a_script_leased_belongs_to_the_first_window_that_goes_on_with_it(photo, ask, client):
    own = ask()
    assert own["tab"] == ""
    assert ask(**FIRST)["tab"] == "window 1"
    assert put(client, own["id"], **SECOND).status_code == 409
    assert put(client, own["id"]).status_code == 201  # a script names what it wants


def test_only_who_holds_the_photo_takes_it_and_only_with_a_window(photo, ask, client, reviewer, stranger, as_user):
    own = ask(**FIRST)["id"]
    for other in (reviewer, stranger):
        assert as_user(other).post(f"/api/assignments/{own}/take/", **SECOND).status_code == 404
    assert client.post(f"/api/assignments/{own}/take/").json()["code"] == "invalid_input"
    too_long = {"HTTP_X_MASKLOOP_TAB": "x" * 65}
    assert client.post(f"/api/assignments/{own}/take/", **too_long).json()["code"] == "invalid_input"
    close(client, own, "release", **FIRST)
    assert client.post(f"/api/assignments/{own}/take/", **SECOND).json()["code"] == "assignment_not_held"


def test_photos_of_a_removed_member_go_back_to_the_others_at_once(
    photo, dataset, annotator, reviewer, admin, ask, take, as_user
):
    own = ask(**FIRST)["id"]
    assert as_user(admin).delete(f"/api/datasets/{dataset.id}/members/{annotator.id}/").status_code == 204
    removed = Event.objects.get(kind="member.removed")
    for _ in range(2):  # it may be delivered twice
        let_go_of_the_photos_of_who_left(removed)
    assert Assignment.objects.get(id=own).state == State.EXPIRED
    assert Event.objects.filter(kind="assignment.released").count() == 1
    assert take(reviewer).image_id == photo.id


def test_a_window_that_is_closed_leaves_its_photos_to_the_next_one(photo, ask, client, reviewer, as_user):
    own = ask(**FIRST)["id"]
    for other, window in ((as_user(reviewer), FIRST), (client, SECOND)):
        assert other.post("/api/assignments/leave/", **window).status_code == 204
    assert ask(**SECOND)["tab"] == "window 1"  # neither of these was the one that has it
    assert client.post("/api/assignments/leave/", **FIRST).status_code == 204
    assert (ask(**SECOND)["id"], ask(**SECOND)["tab"]) == (own, "window 2")
    assert Assignment.objects.get().state == State.OPEN
