"""Verdicts that meet people who have the photo, drew it, or left."""

from uuid import uuid4

import pytest

from backend.annotation.models import Assignment, Mask, MaskState
from backend.annotation.selectors import complete_images
from backend.autolabel.models import Proposal, ReviewRules
from backend.datasets.models import Image, Role
from backend.review.models import Question, Verdict
from tests.backend.conftest import mask_body, member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def work(dataset, as_user):
    """Take a photo for a job."""

    def take(user, job):
        body = {"job": job, "besides": []}
        return as_user(user).post(f"/api/datasets/{dataset.id}/assignments/", body, format="json").json()["assignment"]

    return take


@pytest.fixture
def submit(as_user):
    def do(user, held, **said):
        return as_user(user).post(f"/api/assignments/{held['id']}/submit/", {"masks": [], **said}, format="json")

    return do


def state_of(mask):
    return Mask.objects.get(id=mask.id).state


def test_a_mask_of_a_completed_photo_that_two_disagree_about_goes_to_those_who_correct(
    dataset, photo, propose, ask, say, work, submit, as_user, annotator, reviewer, admin
):
    (mask,) = propose(photo, opinions=2)
    say(annotator, ask(annotator)[0]["id"], "accept")
    (second,) = ask(reviewer)
    assert submit(admin, work(admin, "complete"), complete=True).status_code == 204
    assert list(complete_images(dataset)) == [photo]
    say(reviewer, second["id"], "fix")
    assert (state_of(mask), Proposal.objects.get().opinions_left) == (MaskState.FAULTY, 0)
    assert list(complete_images(dataset)) == []  # an object without a mask that counts
    held, corrected = work(annotator, "correct"), uuid4()
    assert held["image"]["id"] == str(photo.id)
    body = mask_body(Assignment.objects.get(id=held["id"]), replaces=str(mask.id))
    assert as_user(annotator).put(f"/api/masks/{corrected}/", body, format="json").status_code == 201
    assert submit(annotator, held, masks=[str(corrected)]).status_code == 204
    assert list(complete_images(dataset)) == [photo]  # what was said of its objects holds again


def test_a_photo_stays_complete_without_what_is_no_object_until_a_person_finds_one_missing(
    dataset, photo, propose, ask, say, work, submit, as_user, annotator, reviewer, admin
):
    real, shadow = propose(photo, 2)
    for question in ask(annotator):
        say(annotator, question["id"], "accept")
    assert submit(admin, work(admin, "complete"), complete=True).status_code == 204
    decided = as_user(reviewer).post(f"/api/masks/{shadow.id}/verdicts/", {"answer": "not_an_object"}, format="json")
    assert decided.status_code == 201
    assert state_of(shadow) == MaskState.REJECTED
    assert list(complete_images(dataset)) == [photo]
    as_user(reviewer).post(f"/api/masks/{real.id}/verdicts/", {"answer": "fix"}, format="json")
    assert list(complete_images(dataset)) == []  # suspended ...
    as_user(reviewer).post(f"/api/masks/{real.id}/verdicts/", {"answer": "accept"}, format="json")
    assert list(complete_images(dataset)) == [photo]  # ... and not withdrawn
    held = as_user(reviewer).post(f"/api/images/{photo.id}/open/").json()
    assert submit(reviewer, held, complete=False).status_code == 204
    assert list(complete_images(dataset)) == []


def test_a_mask_that_somebody_has_before_them_is_not_taken_back_to_be_judged(
    photo, propose, ask, say, work, submit, annotator, reviewer, admin
):
    (mask,) = propose(photo, opinions=2)
    say(annotator, ask(annotator)[0]["id"], "accept")
    (second,) = ask(reviewer)
    held = work(admin, "complete")
    say(reviewer, second["id"], "fix")
    assert state_of(mask) == MaskState.FAULTY
    assert submit(admin, held, complete=True).status_code == 204


def test_a_photo_with_an_undecided_proposal_is_not_completed(photo, propose, ask, say, work, submit, annotator, admin):
    (mask,) = propose(photo)
    say(annotator, ask(annotator)[0]["id"], "accept")
    held = work(admin, "complete")
    Mask.objects.update(state=MaskState.PROPOSED)
    refused = submit(admin, held, complete=True)
    assert (refused.status_code, refused.json()["code"]) == (409, "masks_undecided")
    place = {"dataset": str(mask.image.dataset_id), "image": str(mask.image_id)}
    assert refused.json()["extra"] == {"masks": [str(mask.id)], **place}
    assert refused.json()["message"].startswith("People have not agreed yet about 1 proposal on this photo")
    assert Image.objects.get().annotated_at is None
    assert Assignment.objects.get().state == "open"


def test_a_corrected_photo_with_an_undecided_proposal_is_not_complete(
    dataset, photo, propose, ask, say, work, submit, as_user, annotator, reviewer
):
    wrong, undecided = propose(photo, 2)
    answers = {question["counts"]: question["id"] for question in ask(annotator)}
    say(annotator, answers[wrong.counts], "fix")
    held, corrected = work(reviewer, "correct"), uuid4()
    body = mask_body(Assignment.objects.get(id=held["id"]), replaces=str(wrong.id))
    assert as_user(reviewer).put(f"/api/masks/{corrected}/", body, format="json").status_code == 201
    assert submit(reviewer, held, masks=[str(corrected)], complete=True).status_code == 204
    assert Image.objects.get().complete_at is None
    assert state_of(undecided) == MaskState.PROPOSED


def test_what_is_accepted_while_somebody_has_the_photo_is_there_once_they_give_it_back(
    photo, propose, ask, say, as_user, deliver, annotator, reviewer
):
    (mask,) = propose(photo)
    (question,) = ask(reviewer)
    held = as_user(annotator).post(f"/api/images/{photo.id}/open/").json()
    assert held["masks"] == []
    say(reviewer, question["id"], "accept")
    assert state_of(mask) == MaskState.PROPOSED
    assert as_user(annotator).post(f"/api/assignments/{held['id']}/release/").status_code == 204
    deliver()
    assert state_of(mask) == MaskState.ACTIVE


def test_what_is_accepted_after_the_photo_was_drawn_by_hand_doubles_no_object(
    dataset, photo, propose, ask, say, submit, as_user, deliver, annotator, reviewer
):
    early, late = propose(photo, 2)
    questions = {question["counts"]: question["id"] for question in ask(reviewer)}
    held = as_user(annotator).post(f"/api/images/{photo.id}/open/").json()
    say(reviewer, questions[early.counts], "accept")
    assert submit(annotator, held, complete=True).status_code == 204
    assert say(reviewer, questions[late.counts], "accept").status_code == 201
    deliver()
    assert {state_of(early), state_of(late)} == {MaskState.REPLACED}
    assert list(complete_images(dataset)) == [photo]
    assert Verdict.objects.count() == 2  # both are on record


def test_a_reviewer_who_is_unsure_decides_nothing(photo, propose, ask, as_user, reviewer):
    (mask,) = propose(photo)
    refused = as_user(reviewer).post(f"/api/masks/{mask.id}/verdicts/", {"answer": "unsure"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (400, "verdict_undecided")
    assert not Verdict.objects.exists()
    assert len(ask(reviewer)) == 1


def test_a_tie_that_waited_for_who_left_goes_to_those_who_correct(
    dataset, photo, propose, ask, say, as_user, deliver, annotator, reviewer, admin
):
    (mask,) = propose(photo, opinions=2)
    say(annotator, ask(annotator)[0]["id"], "accept")
    say(admin, ask(admin)[0]["id"], "fix")
    assert state_of(mask) == MaskState.PROPOSED
    assert as_user(admin).delete(f"/api/datasets/{dataset.id}/members/{reviewer.id}/").status_code == 204
    deliver()
    assert state_of(mask) == MaskState.FAULTY


def test_who_changes_their_mind_is_heard_whoever_joined_since(dataset, photo, propose, ask, say, admin):
    (mask,) = propose(photo)
    (question,) = ask(admin)
    say(admin, question["id"], "unsure")
    assert state_of(mask) == MaskState.FAULTY  # there was nobody else
    member(dataset, admin, "newcomer", Role.ANNOTATOR)
    say(admin, question["id"], "accept")
    assert state_of(mask) == MaskState.ACTIVE


@pytest.mark.parametrize("gone", [MaskState.REPLACED, MaskState.REJECTED])
def test_nobody_is_asked_about_a_mask_that_was_corrected_or_removed(
    photo, propose, ask, say, annotator, reviewer, admin, gone
):
    (mask,) = propose(photo, opinions=2)
    (question,) = ask(annotator)
    say(annotator, question["id"], "accept")
    Mask.objects.update(state=gone)
    assert ask(reviewer) == []
    say(annotator, question["id"], "fix")
    assert state_of(mask) == gone


def test_a_question_at_hand_is_withdrawn_once_its_mask_was_corrected(photo, propose, ask, annotator):
    propose(photo)
    assert len(ask(annotator)) == 1
    Mask.objects.update(state=MaskState.REPLACED)
    assert ask(annotator) == []


def test_the_first_answer_to_what_is_known_counts(
    dataset, add_photo, semi, label, propose, ask, say, as_user, admin, annotator
):
    add_photo(seed=1)
    label(admin, 1)
    propose(add_photo(seed=2))
    ReviewRules.objects.update(known_share=1)
    ask(annotator)
    known = Question.objects.get(kind="known")
    say(annotator, known.id, "accept" if known.expected == "fix" else "fix")
    say(annotator, known.id, known.expected)
    (row,) = as_user(annotator).get(f"/api/datasets/{dataset.id}/review/people/").json()
    assert (row["known"], row["known_right"]) == (1, 0)


def test_agreement_is_that_of_the_first_two_about_masks_drawn_for_two(
    dataset, add_photo, propose, ask, say, as_user, annotator, reviewer, admin
):
    drawn = propose(add_photo(seed=1), 2, opinions=2)
    (hard,) = propose(add_photo(seed=2))
    one, other = (mask.id for mask in drawn)
    for person, answers in (
        (annotator, {one: "accept", other: "fix", hard.id: "unsure"}),
        (reviewer, {one: "accept", other: "accept", hard.id: "accept"}),
        (admin, {other: "fix"}),
    ):
        for question in ask(person):
            say(person, question["id"], answers[Question.objects.get(id=question["id"]).mask_id])
    rows = {row["username"]: row for row in as_user(reviewer).get(f"/api/datasets/{dataset.id}/review/people/").json()}
    assert rows["annotator"]["answered_by_others_too"] == rows["reviewer"]["answered_by_others_too"] == 2
    assert rows[admin.username]["answered_by_others_too"] == 0  # called because two disagreed
    # Of (accept, accept) and (fix, accept): observed 1/2, expected 1/2.
    assert rows["annotator"]["kappa"] == pytest.approx(0)
