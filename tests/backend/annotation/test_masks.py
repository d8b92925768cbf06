"""Every mask that people make arrives once, whole, and is never changed."""

from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest
from django.db.models.functions import Now

from backend.annotation import masks
from backend.annotation.models import Assignment, Mask, MaskState, State
from backend.common.models import Event
from engine import masks as run_lengths
from tests.backend.conftest import disc, mask_body


@pytest.fixture
def put(annotator, as_user):
    def send(mask_id, body):
        return as_user(annotator).put(f"/api/masks/{mask_id}/", body, format="json")

    return send


@pytest.fixture
def own(photo, annotator, take):
    return take(annotator)


def test_a_mask_is_stored_as_it_was_sent(put, own, photo):
    drawn = disc(photo)
    assert put(uuid4(), mask_body(own, drawn)).status_code == 201
    mask = Mask.objects.get()
    rle = run_lengths.Rle(size=list(photo.size), counts=mask.counts)
    np.testing.assert_array_equal(run_lengths.decode(rle), drawn)
    ys, xs = np.nonzero(drawn)
    assert list(mask.box) == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    assert mask.area == drawn.sum()
    assert Event.objects.filter(kind="mask.created", subject_id=mask.id).count() == 1


def test_the_same_bytes_again_are_answered_the_same(put, own):
    mask_id = uuid4()
    first, second = put(mask_id, mask_body(own)), put(mask_id, mask_body(own))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert Mask.objects.count() == 1


def test_saving_a_mask_asks_the_database_little(put, own, django_assert_max_num_queries):
    # Two of them are the test's, inside whose transaction the service's own is a savepoint.
    with django_assert_max_num_queries(9):
        assert put(uuid4(), mask_body(own)).status_code == 201


def test_a_uuid_sent_twice_with_different_content_is_refused_and_the_first_stays(put, own, photo):
    mask_id = uuid4()
    put(mask_id, mask_body(own))
    before = Mask.objects.get().counts
    reply = put(mask_id, mask_body(own, disc(photo, x=0.3)))
    assert (reply.status_code, reply.json()["code"]) == (409, "mask_id_taken")
    assert Mask.objects.get().counts == before


def test_another_persons_uuid_cannot_be_taken_over(put, own, reviewer, as_user, add_photo, take):
    mask_id = uuid4()
    put(mask_id, mask_body(own))
    add_photo(5)
    theirs = take(reviewer)
    reply = as_user(reviewer).put(f"/api/masks/{mask_id}/", mask_body(theirs), format="json")
    assert (reply.status_code, reply.json()["code"]) == (409, "mask_id_taken")


def too_short(photo):
    whole = run_lengths.encode(disc(photo))
    return {
        "counts": run_lengths.encode(np.zeros((photo.height, photo.width - 1), bool))["counts"],
        "size": whole["size"],
    }


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("run lengths that do not add up to the photo", lambda p: {"counts": too_short(p)["counts"]}),
        (
            "another photo's size",
            lambda p: {
                "size": [p.width, p.height],
                "counts": run_lengths.encode(disc(p).T)["counts"],
            },
        ),
        ("text that is no run lengths", lambda _: {"counts": "hello world"}),
        ("no run lengths at all", lambda _: {"counts": ""}),
        ("signs outside the alphabet", lambda _: {"counts": "\x01é\u2028"}),
        ("a run that never ends", lambda _: {"counts": "o" * 4000}),
        ("an empty mask", lambda p: {"counts": run_lengths.encode(np.zeros(p.size, bool))["counts"]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mask_that_is_none_of_this_photo_is_refused(put, own, photo, what, changes):
    reply = put(uuid4(), mask_body(own, **changes(photo)))
    assert reply.status_code == 400, what
    assert reply.json()["code"] in ("mask_invalid", "invalid_input")
    assert Mask.objects.count() == 0


def test_submitting_names_its_masks_and_a_missing_one_keeps_the_photo_open(put, own, annotator, as_user):
    here, missing = uuid4(), uuid4()
    put(here, mask_body(own))
    submit = f"/api/assignments/{own.id}/submit/"
    reply = as_user(annotator).post(submit, {"masks": [str(here), str(missing)]}, format="json")
    assert (reply.status_code, reply.json()["code"]) == (409, "masks_missing")
    assert reply.json()["extra"]["masks"] == [str(missing)]
    put(missing, mask_body(own))
    reply = as_user(annotator).post(submit, {"masks": [str(here), str(missing)]}, format="json")
    assert reply.status_code == 204


def test_a_correction_is_a_new_row_and_the_old_one_keeps_its_geometry(put, own, photo):
    old, new = uuid4(), uuid4()
    put(old, mask_body(own))
    counts = Mask.objects.get(id=old).counts
    assert put(new, mask_body(own, disc(photo, radius=0.3), replaces=str(old))).status_code == 201
    before, after = Mask.objects.get(id=old), Mask.objects.get(id=new)
    assert (before.state, before.counts) == (MaskState.REPLACED, counts)
    assert (after.state, after.replaces_id) == (MaskState.ACTIVE, old)


def test_lists_longer_than_any_page_sends_are_refused_before_their_entries_are_looked_at(put, own, annotator, as_user):
    reply = put(uuid4(), mask_body(own, prompts=[{}] * 1001))
    assert (reply.status_code, list(reply.json()["extra"]["fields"])) == (400, ["prompts"])
    assert "no more than 1000" in str(reply.json()["extra"]["fields"])
    reply = as_user(annotator).post(f"/api/assignments/{own.id}/submit/", {"masks": ["x"] * 10_001}, format="json")
    assert reply.status_code == 400
    assert "no more than 10000" in str(reply.json()["extra"]["fields"]["masks"])


def test_one_mask_cannot_be_corrected_twice(put, own, photo):
    old = uuid4()
    put(old, mask_body(own))
    put(uuid4(), mask_body(own, disc(photo, radius=0.3), replaces=str(old)))
    reply = put(uuid4(), mask_body(own, disc(photo, radius=0.1), replaces=str(old)))
    assert (reply.status_code, reply.json()["code"]) == (409, "replaced_already")


def test_a_correction_delivered_twice_at_once_is_answered_as_stored_both_times(put, own, photo, monkeypatch):
    old, new, create = uuid4(), uuid4(), masks._mask_create
    put(old, mask_body(own))
    body, faster = mask_body(own, disc(photo, radius=0.3), replaces=str(old)), []

    def after_the_other(*given):
        monkeypatch.setattr(masks, "_mask_create", create)
        faster.append(put(new, body))
        return create(*given)

    monkeypatch.setattr(masks, "_mask_create", after_the_other)
    slower = put(new, body)
    assert (faster[0].status_code, slower.status_code) == (201, 200), slower.json()
    assert slower.json() == faster[0].json()
    assert Mask.objects.count() == 2


def test_a_removal_keeps_the_row(put, own, annotator, as_user):
    mask_id = uuid4()
    put(mask_id, mask_body(own))
    for _ in range(2):
        assert as_user(annotator).delete(f"/api/masks/{mask_id}/").status_code == 204
    assert Mask.objects.get().state == MaskState.REJECTED
    assert Event.objects.filter(kind="mask.removed").count() == 1


def test_a_stranger_can_neither_see_nor_remove_nor_add_masks(put, own, stranger, as_user):
    mask_id = uuid4()
    put(mask_id, mask_body(own))
    assert as_user(stranger).delete(f"/api/masks/{mask_id}/").status_code == 404
    assert as_user(stranger).put(f"/api/masks/{uuid4()}/", mask_body(own), format="json").status_code == 404
    assert Mask.objects.get().state == MaskState.ACTIVE


@pytest.fixture
def hours_ago(own):
    """As if the lease had been taken then."""

    def move(hours):
        Assignment.objects.filter(id=own.id).update(created_at=Now() - timedelta(hours=hours))

    return move


def test_seconds_that_can_have_passed_are_kept_as_they_are(put, own, hours_ago):
    hours_ago(0.01)  # 36 s
    for seconds in (20, 10):
        put(uuid4(), mask_body(own, seconds=seconds))
    assert list(Mask.objects.order_by("id").values_list("seconds_claimed", flat=True)) == [None, None]
    assert sum(Mask.objects.values_list("seconds", flat=True)) == 30


def test_seconds_that_cannot_have_passed_are_cut_and_marked_and_the_mask_is_taken_all_the_same(put, own, hours_ago):
    hours_ago(0.01)
    first, second = uuid4(), uuid4()
    put(first, mask_body(own, seconds=20))
    assert put(second, mask_body(own, seconds=200)).status_code == 201
    mask = Mask.objects.get(id=second)
    assert mask.seconds_claimed == 200
    assert 15 < mask.seconds < 25
    assert put(second, mask_body(own, seconds=200)).status_code == 200  # the same again is still the same


def test_a_mask_taken_back_gives_its_seconds_back(put, own, hours_ago, annotator, as_user):
    hours_ago(0.01)
    first = uuid4()
    put(first, mask_body(own, seconds=30))
    as_user(annotator).delete(f"/api/masks/{first}/")
    put(uuid4(), mask_body(own, seconds=30))  # redo: a new row with the same work
    assert not Mask.objects.filter(seconds_claimed__isnull=False).exists()


def test_work_without_a_network_counts_under_the_lease_that_was_taken_again(put, own, hours_ago, annotator, as_user):
    hours_ago(3)
    Assignment.objects.filter(id=own.id).update(state=State.EXPIRED)
    again = as_user(annotator).post(f"/api/images/{own.image_id}/open/").json()
    put(uuid4(), mask_body(own, assignment=again["id"], seconds=1800))
    assert Mask.objects.get().seconds == 1800


def test_time_before_a_submission_is_not_spent_twice(put, own, hours_ago, annotator, as_user):
    hours_ago(3)
    as_user(annotator).post(f"/api/assignments/{own.id}/submit/", {"masks": []}, format="json")
    again = as_user(annotator).post(f"/api/images/{own.image_id}/open/").json()
    put(uuid4(), mask_body(own, assignment=again["id"], seconds=1800))
    assert Mask.objects.get().seconds < 5


def test_seconds_are_a_number(put, own):
    for seconds in (-1, "nan", "inf", 1e9, "long"):
        reply = put(uuid4(), mask_body(own, seconds=seconds))
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid_input"), seconds
    assert Mask.objects.count() == 0


def test_words_are_a_prompt_that_is_kept(put, own):
    words = [{"kind": "text", "words": "a wheel"}, {"kind": "point", "at": [30.5, 20.5], "label": 1}]
    assert put(uuid4(), mask_body(own, prompts=words)).status_code == 201
    assert Mask.objects.get().prompts == words


def test_prompts_are_checked(put, own):
    for prompts in (
        [{"kind": "text"}],
        [{"kind": "text", "words": "x" * 201}],
        [{"kind": "point"}],
        [{"kind": "box", "box": [1, 2, 3]}],
        [{"kind": "scribble"}],
        "no list",
    ):
        reply = put(uuid4(), mask_body(own, prompts=prompts))
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid_input")
    assert Mask.objects.count() == 0


def test_the_part_of_the_photo_that_the_model_looked_at_is_kept_with_the_mask(put, own):
    mask_id = uuid4()
    reply = put(mask_id, mask_body(own, crop_box=[8, 4, 56, 36]))
    assert (reply.status_code, reply.json()["crop_box"]) == (201, [8, 4, 56, 36])
    assert Mask.objects.get().crop_box == [8, 4, 56, 36]
    assert put(mask_id, mask_body(own)).status_code == 409  # other content


def test_a_mask_that_a_page_sent_before_it_knew_of_crop_boxes_may_be_sent_again_by_one_that_does(put, own):
    mask_id = uuid4()
    assert put(mask_id, mask_body(own)).status_code == 201
    assert put(mask_id, mask_body(own, crop_box=None)).status_code == 200


@pytest.mark.parametrize(
    "crop_box", [[0, 0, 0, 9], [0, 0, 61, 40], [-1, 0, 9, 9], [5, 5, 4, 9], [1, 2, 3], "all", [0, 0, 1.5, 9]]
)
def test_a_crop_box_that_is_no_part_of_the_photo_is_refused(put, own, crop_box):
    reply = put(uuid4(), mask_body(own, crop_box=crop_box))
    assert reply.status_code == 400
    assert reply.json()["message"]
    assert not Mask.objects.exists()
