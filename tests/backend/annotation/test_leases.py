"""Who works on which photo."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from backend.annotation.masks import mask_put
from backend.annotation.models import Assignment, Mask, MaskState, State
from backend.annotation.selectors import complete_images, counts_of
from backend.annotation.services import (
    UNSENT_WORK_KEPT,
    assignment_next,
    assignment_reopen,
    assignment_submit,
    assignments_expire,
)
from backend.autolabel.selectors import images_to_calibrate_on
from backend.checkpoints.models import Checkpoint
from backend.checkpoints.services import deployment_make
from backend.common.ids import uuid7
from backend.common.models import Event
from backend.datasets.models import Dataset, Image, Role, Split, WorkOrder
from backend.inference.models import Embedding
from backend.inference.services import embeddings_request, embeddings_request_next
from backend.training.selectors import complete_test_photos, finished_photos
from tests.backend.conftest import mask_body, member, until_somebody_waits_for_a_row


def let_expire(assignment: Assignment) -> None:
    Assignment.objects.filter(id=assignment.id).update(expires_at=Now() - timedelta(seconds=1))


@pytest.fixture
def another(live):
    """A checkpoint like the live one."""

    def make(**changes):
        row = Checkpoint.objects.get(id=live.id)
        row._state.adding, row.id, row.file_hash, row.storage_key = True, uuid7(), "0" * 64, "checkpoints/other"
        for name, value in changes.items():
            setattr(row, name, value)
        row.save()
        return row

    return make


def ask(client, dataset, besides=()):
    reply = client.post(f"/api/datasets/{dataset.id}/assignments/", {"besides": list(besides)}, format="json")
    assert reply.status_code == 200, reply.content
    return reply.json()


@pytest.mark.django_db(transaction=True)
def test_two_people_asking_at_once_get_different_photos(dataset, admin, add_photo):
    for seed in range(12):
        add_photo(seed)
    people = [member(dataset, admin, f"person {n}", Role.ANNOTATOR) for n in range(12)]

    def one(holder):
        try:
            return assignment_next(dataset=dataset, holder=holder, besides=set()).assignment.image_id
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as threads:
        given = list(threads.map(one, people))
    assert len(set(given)) == 12


def test_test_photos_come_first_until_there_are_enough(dataset, annotator, add_photo, label):
    train, *tests = add_photo(1), add_photo(2, split=Split.TEST), add_photo(3, split=Split.TEST)
    assert [label(annotator) for _ in tests] == tests
    later_test = add_photo(4, split=Split.TEST)
    assert label(annotator).id == train.id  # the dataset wants one, and by one the gate decides nothing
    assert label(annotator).id == later_test.id


@pytest.mark.parametrize("order", WorkOrder.values)
def test_test_photos_come_first_until_the_gate_has_enough_with_masks_whatever_the_order(
    dataset, annotator, add_photo, label, as_user, order
):
    Dataset.objects.filter(id=dataset.id).update(work_order=order)
    add_photo(1), add_photo(2)
    Image.objects.update(doubt=0.9)
    empty, test = add_photo(3, split=Split.TEST), add_photo(4, split=Split.TEST)

    def counted():
        # The page's photos, and the gate's.
        told = as_user(annotator).get(f"/api/datasets/{dataset.id}/").json()["counts"]["test_images_annotated"]
        assert told == len(finished_photos(dataset, Split.TEST))
        return told

    assert label(annotator, masks=0).id == empty.id
    assert counted() == 0
    assert label(annotator).id == test.id
    assert counted() == 1
    assert label(annotator).split == Split.TRAIN


def test_test_photos_come_first_until_the_gate_would_decide_by_them(
    dataset, admin, annotator, add_photo, label, as_user
):
    later, *street, own = add_photo(1), *(add_photo(seed, split=Split.TEST) for seed in (2, 3, 4, 5))
    Image.objects.filter(id__in=[photo.id for photo in street]).update(group="street")

    def missing():
        return counts_of(dataset)["test_missing"]

    assert missing() == "The gate wants 2 more test photos and 1 more test mask before it decides."
    assert label(annotator) == street[0]
    assert label(annotator) == street[1]
    assert missing() == "It wants photos of 1 more scene: those of one group count as one."
    assert label(annotator) == own  # another one of the street's would not help
    assert missing() == ""
    assert label(annotator) == later
    rule = {"only_brushed": True}
    assert as_user(admin).patch(f"/api/datasets/{dataset.id}/gate-rule/", rule, format="json").status_code == 200
    assert missing() == "The gate wants 2 more test photos and 1 more test mask before it decides."
    assert label(annotator) == street[2]


def test_a_reload_gets_the_same_photo_again(dataset, annotator, add_photo, take):
    add_photo(1), add_photo(2)
    assert take(annotator).id == take(annotator).id


def test_the_page_fetches_ahead_but_not_without_end(dataset, annotator, add_photo, as_user):
    for seed in range(5):
        add_photo(seed)
    held = []
    for _ in range(3):
        held.append(ask(as_user(annotator), dataset, held)["assignment"]["id"])
    assert len(set(held)) == 3
    assert ask(as_user(annotator), dataset, held) == {"assignment": None, "reason": "too_many_open"}


def test_the_queue_says_why_it_has_nothing(dataset, annotator, reviewer, photo, take, as_user, label):
    take(reviewer)
    assert ask(as_user(annotator), dataset)["reason"] == "all_open_elsewhere"
    label(reviewer)
    assert ask(as_user(annotator), dataset)["reason"] == "nothing_left"


def test_a_lease_that_ran_out_goes_to_the_next_one_and_its_holder_is_told(annotator, reviewer, photo, take, as_user):
    lost = take(annotator)
    let_expire(lost)
    assert take(reviewer).image_id == photo.id
    body = mask_body(lost)
    reply = as_user(annotator).put("/api/masks/0192d3a0-0000-7000-8000-000000000001/", body, format="json")
    assert (reply.status_code, reply.json()["code"]) == (409, "assignment_not_held")
    reply = as_user(annotator).post(f"/api/assignments/{lost.id}/submit/", {"masks": []}, format="json")
    assert reply.json()["code"] == "assignment_not_held"
    lost.refresh_from_db()
    assert lost.state == State.EXPIRED


def test_work_under_a_lease_that_ran_out_can_be_saved_by_taking_the_photo_again(annotator, photo, take, as_user):
    lost, client = take(annotator), as_user(annotator)
    mask_id = "0192d3a0-0000-7000-8000-000000000002"
    assert client.put(f"/api/masks/{mask_id}/", mask_body(lost), format="json").status_code == 201
    let_expire(lost)
    again = client.post(f"/api/images/{photo.id}/open/").json()
    assert again["id"] != str(lost.id)
    # The page does not know whether the mask had arrived: it sends it again, under the new lease.
    body = mask_body(lost, assignment=again["id"])
    assert client.put(f"/api/masks/{mask_id}/", body, format="json").status_code == 200
    reply = client.post(f"/api/assignments/{again['id']}/submit/", {"masks": [mask_id]}, format="json")
    assert reply.status_code == 204


def test_a_photo_whose_lease_ran_out_is_taken_again_for_the_job_it_was_for(annotator, reviewer, photo, take, as_user):
    lost, client = take(annotator), as_user(annotator)
    Assignment.objects.filter(id=lost.id).update(job="audit")
    let_expire(lost)
    again = client.post(f"/api/images/{photo.id}/open/").json()
    assert again["job"] == "audit"
    assert client.post(f"/api/assignments/{again['id']}/submit/", {"masks": []}, format="json").status_code == 204
    photo.refresh_from_db()
    assert photo.annotated_at is None
    assert as_user(reviewer).post(f"/api/images/{photo.id}/open/").json()["job"] == "annotate"


@pytest.mark.parametrize("job", ["audit", "correct", "complete"])
def test_a_photo_that_was_given_back_is_opened_to_be_drawn_whatever_it_was_taken_for(
    annotator, photo, take, as_user, job
):
    held, client = take(annotator), as_user(annotator)
    Assignment.objects.filter(id=held.id).update(job=job)
    assert client.post(f"/api/assignments/{held.id}/release/").status_code == 204
    assert client.post(f"/api/images/{photo.id}/open/").json()["job"] == "annotate"


def test_a_photo_whose_lease_ran_out_long_ago_is_opened_to_be_drawn(annotator, photo, take, as_user):
    held, client = take(annotator), as_user(annotator)
    ago = {"expires_at": Now() - UNSENT_WORK_KEPT, "closed_at": Now() - UNSENT_WORK_KEPT}
    Assignment.objects.filter(id=held.id).update(job="audit", state=State.EXPIRED, **ago)
    assert client.post(f"/api/images/{photo.id}/open/").json()["job"] == "annotate"


def test_who_goes_on_after_a_lease_ran_out_goes_on_with_its_model(dataset, annotator, photo, take, as_user, another):
    lost, client = take(annotator), as_user(annotator)
    other = another(encoder_hash="0" * 64)
    deployment_make(dataset=dataset, checkpoint=other, reason="by hand", by=None)
    let_expire(lost)
    again = client.post(f"/api/images/{photo.id}/open/").json()
    kept = Assignment.objects.get(id=again["id"])
    assert kept.checkpoint == lost.checkpoint != other
    assert Embedding.objects.filter(image=photo, encoder_hash=lost.checkpoint.encoder_hash).exists()
    # What the page made with the model that it had is said to be that one's.
    mask_id = "0192d3a0-0000-7000-8000-000000000004"
    assert client.put(f"/api/masks/{mask_id}/", mask_body(kept), format="json").status_code == 201
    assert Mask.objects.get(id=mask_id).checkpoint == lost.checkpoint
    assert client.post(f"/api/assignments/{kept.id}/release/").status_code == 204
    anew = client.post(f"/api/images/{photo.id}/open/").json()
    assert Assignment.objects.get(id=anew["id"]).checkpoint == other


def test_nobody_takes_a_photo_that_somebody_works_on(annotator, reviewer, photo, take, as_user):
    take(annotator)
    reply = as_user(reviewer).post(f"/api/images/{photo.id}/open/")
    assert (reply.status_code, reply.json()["code"]) == (409, "assignment_not_held")


def test_renewal_moves_the_end_by_the_databases_clock(annotator, photo, take, as_user):
    own = take(annotator)
    Assignment.objects.filter(id=own.id).update(expires_at=Now() + timedelta(seconds=5))
    assert as_user(annotator).post(f"/api/assignments/{own.id}/renew/").status_code == 200
    assert Assignment.objects.filter(id=own.id, expires_at__gt=Now() + timedelta(minutes=10)).exists()


def test_two_tabs_submitting_close_the_photo_once(annotator, photo, take, as_user):
    own = take(annotator)
    replies = [
        as_user(annotator).post(f"/api/assignments/{own.id}/submit/", {"masks": []}, format="json") for _ in "ab"
    ]
    assert [reply.status_code for reply in replies] == [204, 409]
    assert replies[1].json()["code"] == "assignment_not_held"
    assert Event.objects.filter(kind="assignment.submitted").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_tabs_submitting_at_the_same_moment_close_the_photo_once(annotator, photo, take, as_user):
    own = take(annotator)

    def submit(_):
        try:
            return (
                as_user(annotator).post(f"/api/assignments/{own.id}/submit/", {"masks": []}, format="json").status_code
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(submit, range(4))) == [204, 409, 409, 409]


def test_a_stranger_cannot_tell_whether_an_assignment_exists(annotator, stranger, photo, take, as_user):
    own = take(annotator)
    for assignment_id in (own.id, "0192d3a0-0000-7000-8000-000000000009"):
        for verb in ("submit", "renew", "skip", "release"):
            body = {"masks": [], "reason": "x"}
            reply = as_user(stranger).post(f"/api/assignments/{assignment_id}/{verb}/", body, format="json")
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    own.refresh_from_db()
    assert own.state == State.OPEN


def test_a_photo_that_was_skipped_is_not_offered_to_this_person_again(annotator, reviewer, photo, take, as_user):
    own = take(annotator)
    for _ in range(2):  # the same again, whose first answer was lost
        said = as_user(annotator).post(f"/api/assignments/{own.id}/skip/", {"reason": "Too difficult"}, format="json")
        assert said.status_code == 204
    assert ask(as_user(annotator), photo.dataset)["assignment"] is None
    assert take(reviewer).image_id == photo.id


def test_the_sweep_lets_go_what_ran_out_and_says_so_once(annotator, photo, take):
    let_expire(take(annotator))
    assert (assignments_expire(), assignments_expire()) == (1, 0)
    assert Event.objects.filter(kind="assignment.expired").count() == 1


def test_who_is_no_member_any_more_loses_the_lease(dataset, annotator, admin, photo, take, as_user):
    own = take(annotator)
    assert as_user(admin).delete(f"/api/datasets/{dataset.id}/members/{annotator.id}/").status_code == 204
    client = as_user(annotator)
    assert client.get(f"/api/assignments/{own.id}/").status_code == 404
    assert client.post(f"/api/assignments/{own.id}/renew/").status_code == 404
    reply = client.put("/api/masks/0192d3a0-0000-7000-8000-000000000003/", mask_body(own), format="json")
    assert reply.status_code == 404


def submit(client, assignment, **said):
    body = {"masks": [], **said}
    assert client.post(f"/api/assignments/{assignment.id}/submit/", body, format="json").status_code == 204


def test_what_the_newest_submission_says_of_completeness_holds(dataset, annotator, reviewer, photo, take, as_user):
    first = take(annotator)
    submit(as_user(annotator), first, complete=True)
    first.refresh_from_db()
    assert first.complete is True
    assert list(complete_images(dataset)) == [photo]
    again = as_user(reviewer).post(f"/api/images/{photo.id}/open/").json()
    submit(as_user(reviewer), Assignment.objects.get(id=again["id"]))
    assert not complete_images(dataset).exists()
    said = Event.objects.filter(kind="assignment.submitted").order_by("id").values_list("data__complete", flat=True)
    assert list(said) == [True, False]


def test_a_mask_taken_away_takes_the_statement_of_completeness_back(dataset, annotator, photo, take, as_user):
    client, own, mask_id = as_user(annotator), take(annotator), "0192d3a0-0000-7000-8000-000000000003"
    client.put(f"/api/masks/{mask_id}/", mask_body(own), format="json")
    submit(client, own, complete=True)
    client.post(f"/api/images/{photo.id}/open/")
    assert client.delete(f"/api/masks/{mask_id}/").status_code == 204
    assert not complete_images(dataset).exists()


@pytest.mark.parametrize("state", [MaskState.FAULTY, MaskState.PROPOSED])
def test_a_photo_with_a_mask_that_waits_is_complete_to_nobody(dataset, annotator, add_photo, take, as_user, state):
    photo, client = add_photo(split=Split.TEST), as_user(annotator)
    own, mask_id = take(annotator), "0192d3a0-0000-7000-8000-000000000003"
    client.put(f"/api/masks/{mask_id}/", mask_body(own), format="json")
    submit(client, own, complete=True)
    assert images_to_calibrate_on(dataset)[1]
    assert [image for image, _ in complete_test_photos(dataset)] == [photo]
    Mask.objects.update(state=state)
    assert not complete_images(dataset).exists()
    assert not images_to_calibrate_on(dataset)[1]
    assert list(complete_test_photos(dataset)) == []


def test_completeness_is_yes_or_no(annotator, photo, take, as_user):
    own = take(annotator)
    reply = as_user(annotator).post(
        f"/api/assignments/{own.id}/submit/", {"masks": [], "complete": "perhaps"}, format="json"
    )
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_input")
    own.refresh_from_db()
    assert (own.state, own.complete) == (State.OPEN, None)


def beside(work, **arguments):
    """In another connection; hands back what is to be waited for."""

    def run():
        try:
            return work(**arguments)
        finally:
            connection.close()

    threads = ThreadPoolExecutor(1)
    done = threads.submit(run)
    threads.shutdown(wait=False)
    return done


@pytest.mark.django_db(transaction=True)
def test_a_photo_that_is_opened_again_while_a_mask_of_it_is_saved_keeps_both(annotator, photo, take):
    own = take(annotator)
    with transaction.atomic():
        mask, _ = mask_put(mask_id=uuid4(), author=annotator, body=mask_body(own))
        opened = beside(assignment_reopen, image=photo, holder=annotator)
        until_somebody_waits_for_a_row()
    assert opened.result(20).id == own.id
    assert Mask.objects.filter(id=mask.id).exists()


@pytest.mark.django_db(transaction=True)
def test_a_photo_that_is_opened_again_while_it_is_submitted_is_submitted_and_then_opened(annotator, photo, take):
    own = take(annotator)
    with transaction.atomic():
        Assignment.objects.select_for_update().get(id=own.id)
        opened = beside(assignment_reopen, image=photo, holder=annotator)
        until_somebody_waits_for_a_row()
        assignment_submit(assignment_id=own.id, holder=annotator, mask_ids=set())
    again = opened.result(20)
    assert (again.id != own.id, again.state) == (True, State.OPEN)
    own.refresh_from_db()
    assert own.state == State.SUBMITTED


@pytest.mark.django_db(transaction=True)
def test_a_photo_that_is_handed_out_while_its_embedding_is_asked_for_ahead_of_need_is_handed_out(
    annotator, photo, live, dataset
):
    embeddings_request(dataset=dataset)
    with transaction.atomic():
        assert embeddings_request_next(dataset_id=dataset.id) == 1
        handed_out = beside(assignment_next, dataset=dataset, holder=annotator, besides=set())
        until_somebody_waits_for_a_row()
    assert handed_out.result(20).assignment.image_id == photo.id
