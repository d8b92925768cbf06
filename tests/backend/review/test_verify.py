"""Masks before people: who is asked what, and what follows from their answers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from rest_framework.test import APIClient

from backend.accounts.models import User
from backend.annotation.models import Mask, MaskState
from backend.annotation.selectors import images_waiting
from backend.autolabel.models import Proposal, ReviewRules
from backend.common.lots import LOTS
from backend.datasets.models import Dataset, Image, Job, Membership, Role
from backend.review.models import Answer, Question, QuestionKind, QuestionState, Verdict
from backend.review.services import questions_next, verdict_decide, verdict_put
from tests.backend.conftest import mask_body, member, person, until_somebody_waits_for_a_row

AsUser = Callable[[User], APIClient]
Propose = Callable[..., list[Mask]]


def mask_of(question: dict[str, Any]) -> Mask:
    return Question.objects.get(id=question["id"]).mask


@pytest.mark.django_db(transaction=True)
def test_two_people_never_get_the_same_mask_to_verify(
    add_photo: Callable[..., Image], propose: Propose, ask: Callable[..., Any], dataset: Dataset, admin: User
) -> None:
    for seed in range(4):
        propose(add_photo(seed=seed), 5)
    people = [member(dataset, admin, f"person {number}", Role.ANNOTATOR) for number in range(4)]

    def many(user: User) -> list[str]:
        try:
            got: list[str] = []
            for _ in range(3):
                got += [question["id"] for question in ask(user, 3, got)]
            return got
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as pool:
        asked = [UUID(one) for got in pool.map(many, people) for one in got]
    assert len(asked) == len(set(asked))
    masks = list(Question.objects.filter(id__in=asked).values_list("mask_id", flat=True))
    assert len(masks) == len(set(masks))
    assert len(masks) > 12


def test_what_one_person_holds_is_theirs_until_they_give_it_back(
    photo: Image,
    propose: Propose,
    ask: Callable[..., Any],
    as_user: AsUser,
    dataset: Dataset,
    annotator: User,
    reviewer: User,
) -> None:
    propose(photo, 2)
    held = ask(annotator)
    assert len(held) == 2
    assert {one["id"] for one in ask(annotator)} == {one["id"] for one in held}  # a page that was loaded again
    reply = as_user(reviewer).post(f"/api/datasets/{dataset.id}/questions/", {}, format="json").json()
    assert reply == {"questions": [], "reason": "all_open_elsewhere"}
    assert as_user(annotator).post(f"/api/datasets/{dataset.id}/questions/release/").status_code == 204
    assert len(ask(reviewer)) == 2


def test_what_the_page_holds_itself_is_not_with_others(
    photo: Image, propose: Propose, ask: Callable[..., Any], as_user: AsUser, dataset: Dataset, annotator: User
) -> None:
    propose(photo, 2)
    held = [question["id"] for question in ask(annotator)]
    url = f"/api/datasets/{dataset.id}/questions/"
    reply = as_user(annotator).post(url, {"besides": held}, format="json")
    assert reply.json() == {"questions": [], "reason": "nothing_left"}


def test_a_verdict_sent_twice_counts_once(
    photo: Image, propose: Propose, ask: Callable[..., Any], say: Callable[..., Any], annotator: User
) -> None:
    (mask,) = propose(photo)
    (question,) = ask(annotator)
    verdict = uuid4()
    assert say(annotator, question["id"], "accept", verdict).status_code == 201
    assert say(annotator, question["id"], "accept", verdict).status_code == 200
    assert Verdict.objects.count() == 1
    refused = say(annotator, question["id"], "fix", verdict)
    assert (refused.status_code, refused.json()["code"]) == (409, "verdict_id_taken")
    mask.refresh_from_db()
    assert mask.state == MaskState.ACTIVE


def test_whoever_changes_their_mind_answers_again_and_both_answers_stay_on_record(
    photo: Image, propose: Propose, ask: Callable[..., Any], say: Callable[..., Any], annotator: User
) -> None:
    (mask,) = propose(photo)
    (question,) = ask(annotator)
    for answer, state in (("not_an_object", "rejected"), ("accept", "active"), ("fix", "faulty")):
        assert say(annotator, question["id"], answer).status_code == 201
        mask.refresh_from_db()
        assert mask.state == state
    assert Verdict.objects.count() == 3


def test_who_is_unsure_is_not_asked_again_and_somebody_else_is(
    photo: Image,
    propose: Propose,
    ask: Callable[..., Any],
    say: Callable[..., Any],
    annotator: User,
    reviewer: User,
) -> None:
    (mask,) = propose(photo)
    (question,) = ask(annotator)
    say(annotator, question["id"], "unsure")
    assert ask(annotator) == []
    (again,) = ask(reviewer)
    assert mask_of(again) == mask
    say(reviewer, again["id"], "accept")
    mask.refresh_from_db()
    assert mask.state == MaskState.ACTIVE
    assert ask(reviewer) == []


def test_where_nobody_is_left_to_ask_those_who_correct_decide(
    photo: Image, propose: Propose, ask: Callable[..., Any], say: Callable[..., Any], admin: User
) -> None:
    (mask,) = propose(photo)
    say(admin, ask(admin)[0]["id"], "unsure")
    mask.refresh_from_db()
    assert mask.state == MaskState.FAULTY


def test_a_share_is_verified_twice_and_the_third_decides_where_two_disagree(
    photo: Image,
    propose: Propose,
    ask: Callable[..., Any],
    say: Callable[..., Any],
    annotator: User,
    reviewer: User,
    admin: User,
) -> None:
    (mask,) = propose(photo, opinions=2)
    say(annotator, ask(annotator)[0]["id"], "accept")
    mask.refresh_from_db()
    assert mask.state == MaskState.ACTIVE
    assert ask(annotator) == []
    say(reviewer, ask(reviewer)[0]["id"], "fix")
    mask.refresh_from_db()
    assert mask.state == MaskState.PROPOSED
    say(admin, ask(admin)[0]["id"], "fix")
    mask.refresh_from_db()
    assert mask.state == MaskState.FAULTY


def test_who_gives_a_second_opinion_is_not_told_the_first(
    photo: Image,
    propose: Propose,
    ask: Callable[..., Any],
    say: Callable[..., Any],
    as_user: AsUser,
    annotator: User,
    reviewer: User,
) -> None:
    twice, once = propose(photo, 1, opinions=2) + propose(photo, 1)
    for question in ask(annotator):
        say(annotator, question["id"], "accept")

    def told() -> tuple[set[str], int]:
        gallery = f"/api/datasets/{photo.dataset_id}/images/"
        seen = {mask["id"] for mask in as_user(reviewer).get(f"/api/images/{photo.id}/masks/").json()}
        (row,) = (row for row in as_user(reviewer).get(gallery).json()["results"] if row["id"] == str(photo.id))
        return seen, row["mask_count"]

    assert told() == ({str(once.id)}, 1)
    say(reviewer, ask(reviewer)[0]["id"], "accept")
    assert told() == ({str(once.id), str(twice.id)}, 2)


def test_an_answer_that_comes_late_is_kept_and_spoils_nothing(
    photo: Image,
    propose: Propose,
    ask: Callable[..., Any],
    say: Callable[..., Any],
    as_user: AsUser,
    annotator: User,
    reviewer: User,
) -> None:
    """The lease ran out, somebody else answered, a reviewer decided: the late opinion is on record and changes nothing."""
    (mask,) = propose(photo)
    (late,) = ask(annotator)
    Question.objects.update(expires_at="2000-01-01T00:00:00Z")
    (mine,) = ask(reviewer)
    decided = as_user(reviewer).post(f"/api/masks/{mask.id}/verdicts/", {"answer": "accept"}, format="json")
    assert decided.status_code == 201
    assert say(annotator, late["id"], "not_an_object").status_code == 201
    assert say(reviewer, mine["id"], "accept").status_code == 201
    mask.refresh_from_db()
    assert mask.state == MaskState.ACTIVE
    assert Verdict.objects.count() == 3


def test_what_is_least_sure_comes_first_unless_the_dataset_says_otherwise(
    add_photo: Callable[..., Image],
    propose: Propose,
    ask: Callable[..., Any],
    as_user: AsUser,
    dataset: Dataset,
    admin: User,
    annotator: User,
) -> None:
    first, second = add_photo(seed=1), add_photo(seed=2)
    propose(first, 2, doubt=0.2)
    propose(second, 2, doubt=0.9)
    images = [question["image"]["id"] for question in ask(annotator)]
    assert images == [str(second.id)] * 2 + [str(first.id)] * 2
    for order, wanted in (("import", [first, second]), ("random", [second, first])):
        Question.objects.all().delete()
        Proposal.objects.filter(image=second).update(shuffle=0.1)
        reply = as_user(admin).patch(f"/api/datasets/{dataset.id}/review/rules/", {"order": order}, format="json")
        assert reply.json()["order"] == order
        images = [question["image"]["id"] for question in ask(annotator)]
        assert images == [str(photo.id) for photo in wanted for _ in range(2)]


def test_a_known_answer_cannot_be_told_from_a_question(
    add_photo: Callable[..., Image],
    propose: Propose,
    ask: Callable[..., Any],
    say: Callable[..., Any],
    label: Callable[..., Image],
    semi: Dataset,
    rules: ReviewRules,
    as_user: AsUser,
    admin: User,
    annotator: User,
) -> None:
    add_photo(seed=1)
    label(admin, 2)
    proposals = {str(mask.id) for mask in propose(add_photo(seed=2), 6)}
    ReviewRules.objects.update(known_share=1)
    questions = ask(annotator, 6)
    kinds = {str(q.id): q.kind for q in Question.objects.all()}
    assert sorted(kinds.values()) == ["known"] * 2 + ["proposal"] * 4
    shapes = {tuple((key, type(value)) for key, value in question.items()) for question in questions}
    assert len(shapes) == 1
    assert {tuple(question["image"]) for question in questions} == {
        ("id", "file_name", "width", "height", "pixels_url")
    }
    text = str(questions)
    masks = {str(id) for id in Mask.objects.values_list("id", flat=True)}
    assert not any(mask in text for mask in masks | proposals)

    for question in questions:
        reply = say(annotator, question["id"], "accept")
        assert reply.status_code == 201
        assert set(reply.json()) == {"id", "question", "answer", "seconds", "created_at"}
    # The masks that are known to be right are as they were, whatever was said of them.
    assert Mask.objects.filter(origin="assisted", state=MaskState.ACTIVE).count() == 2
    expected = list(Question.objects.filter(kind="known").values_list("expected", flat=True))
    (row,) = as_user(annotator).get(f"/api/datasets/{semi.id}/review/people/").json()
    assert (row["known"], row["known_right"]) == (2, expected.count("accept"))


def test_with_a_seed_the_same_known_questions_are_asked_at_the_same_places(
    add_photo: Callable[..., Image],
    propose: Propose,
    label: Callable[..., Image],
    semi: Dataset,
    admin: User,
    annotator: User,
) -> None:
    add_photo(seed=1), add_photo(seed=2)
    label(admin, 3), label(admin, 3)
    propose(add_photo(seed=3), 6)
    ReviewRules.objects.update(known_share=0.5)

    def asked(seed: int) -> list[tuple[str, UUID, str]]:
        Question.objects.all().delete()
        LOTS.seed(seed)
        found = questions_next(dataset=semi, holder=annotator, count=6, besides=set()).questions
        return [(question.kind, question.mask_id, question.counts) for question in found]

    assert asked(3) == asked(3)
    assert len({str(asked(seed)) for seed in range(8)}) > 1


def test_a_spoiled_outline_is_clearly_another_one(
    add_photo: Callable[..., Image], semi: Dataset, label: Callable[..., Image], admin: User
) -> None:
    from backend.review.known import MOST_SPOILED_IOU, spoiled
    from engine import masks as run_lengths

    add_photo(seed=1)
    label(admin, 1)
    mask = Mask.objects.get()
    size = list(mask.image.size)
    for _ in range(10):
        rle = run_lengths.Rle(size=size, counts=spoiled(mask))
        own = run_lengths.Rle(size=size, counts=mask.counts)
        run_lengths.check(rle, mask.image.size)
        assert 0.2 < run_lengths.iou([own], [rle])[0, 0] <= MOST_SPOILED_IOU


def test_agreement_is_seen_by_reviewers_and_of_oneself(
    photo: Image,
    propose: Propose,
    ask: Callable[..., Any],
    say: Callable[..., Any],
    as_user: AsUser,
    dataset: Dataset,
    annotator: User,
    reviewer: User,
) -> None:
    propose(photo, 4, opinions=2)
    answers = {}
    for question in ask(annotator):
        answers[mask_of(question).id] = "accept" if len(answers) < 2 else "fix"
        say(annotator, question["id"], answers[mask_of(question).id])
    for number, question in enumerate(ask(reviewer)):
        own = answers[mask_of(question).id]
        say(reviewer, question["id"], own if number else ("fix" if own == "accept" else "accept"))
    url = f"/api/datasets/{dataset.id}/review/people/"
    seen = {row["username"]: row for row in as_user(reviewer).get(url).json()}
    assert set(seen) == {"annotator", "reviewer"}
    # Three of four the same, expected by chance half of them: (0.75 - 0.5) / 0.5.
    assert seen["annotator"]["kappa"] == seen["reviewer"]["kappa"] == pytest.approx(0.5)
    assert seen["annotator"]["answered_by_others_too"] == 4
    assert seen["annotator"]["seconds_each"] == 1.5
    assert [row["username"] for row in as_user(annotator).get(url).json()] == ["annotator"]


def test_seconds_that_are_no_measurement_are_refused_and_those_stored_before_spoil_no_figure(
    photo: Image, propose: Propose, ask: Callable[..., Any], say: Callable[..., Any], as_user: AsUser, annotator: User
) -> None:
    propose(photo, 2)
    first, second = ask(annotator)
    body = {"question": first["id"], "answer": "accept", "seconds": 1e200}
    reply = as_user(annotator).put(f"/api/verdicts/{uuid4()}/", body, format="json")
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_input")
    for question in (first, second):
        say(annotator, question["id"], "accept")
    Verdict.objects.filter(question=first["id"]).update(seconds=1.7e308)
    (row,) = as_user(annotator).get(f"/api/datasets/{photo.dataset_id}/review/people/").json()
    assert row["seconds_each"] == 1.5


def test_what_failed_is_corrected_and_then_the_photo_is_completed(
    photo: Image,
    propose: Propose,
    ask: Callable[..., Any],
    say: Callable[..., Any],
    as_user: AsUser,
    dataset: Dataset,
    annotator: User,
    reviewer: User,
) -> None:
    right, wrong, nothing = propose(photo, 3)
    client = as_user(annotator)

    def take(job: str) -> Any:
        return client.post(f"/api/datasets/{dataset.id}/assignments/", {"job": job}, format="json").json()

    assert take("complete") == {"assignment": None, "reason": "nothing_left"}  # it waits for three verdicts
    said = {right.id: "accept", wrong.id: "fix", nothing.id: "not_an_object"}
    for question in ask(reviewer):
        say(reviewer, question["id"], said[mask_of(question).id])
    assert take("complete")["assignment"] is None  # a mask is to be corrected first

    held = take("correct")["assignment"]
    assert {(mask["id"], mask["state"]) for mask in held["masks"]} == {
        (str(right.id), "active"),
        (str(wrong.id), "faulty"),
    }
    submit = f"/api/assignments/{held['id']}/submit/"
    refused = client.post(submit, {"masks": []}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "masks_uncorrected")
    assert refused.json()["extra"]["masks"] == [str(wrong.id)]
    from backend.annotation.models import Assignment

    corrected = uuid4()
    body = mask_body(Assignment.objects.get(id=held["id"]), replaces=str(wrong.id))
    assert client.put(f"/api/masks/{corrected}/", body, format="json").status_code == 201
    assert client.post(submit, {"masks": [str(corrected)]}, format="json").status_code == 204
    wrong.refresh_from_db()
    photo.refresh_from_db()
    assert wrong.state == MaskState.REPLACED
    assert photo.annotated_at is None

    held = take("complete")["assignment"]
    assert {mask["id"] for mask in held["masks"]} == {str(right.id), str(corrected)}
    done = client.post(f"/api/assignments/{held['id']}/submit/", {"masks": [], "complete": True}, format="json")
    assert done.status_code == 204
    photo.refresh_from_db()
    assert photo.annotated_at is not None
    assert photo.complete_at is not None
    assert take("complete")["reason"] == "nothing_left"


def test_what_awaits_a_second_opinion_is_completed_last_while_somebody_can_give_it(
    add_photo: Callable[..., Image],
    propose: Propose,
    ask: Callable[..., Any],
    say: Callable[..., Any],
    dataset: Dataset,
    annotator: User,
    reviewer: User,
) -> None:
    awaited, settled = add_photo(seed=1), add_photo(seed=2)
    propose(awaited, opinions=2), propose(settled)
    for question in ask(annotator):
        say(annotator, question["id"], "accept")

    def in_turn() -> list[Image]:
        return list(images_waiting(dataset, Job.COMPLETE))

    assert in_turn() == [settled, awaited]
    Membership.objects.exclude(user=annotator).update(jobs=["annotate"])
    assert in_turn() == [awaited, settled]  # nobody is left who could
    Membership.objects.update(jobs=None)
    for question in ask(reviewer):
        say(reviewer, question["id"], "accept")
    assert in_turn() == [awaited, settled]


def test_second_opinions_that_were_wanted_are_obtained_or_awaited_or_missed(
    add_photo: Callable[..., Image],
    propose: Propose,
    ask: Callable[..., Any],
    say: Callable[..., Any],
    as_user: AsUser,
    dataset: Dataset,
    annotator: User,
    reviewer: User,
    admin: User,
) -> None:
    def told(user: User) -> dict[str, int] | None:
        opinions: dict[str, int] | None = (
            as_user(user).get(f"/api/datasets/{dataset.id}/review/").json()["second_opinions"]
        )
        return opinions

    drawn, others, once = add_photo(seed=1), add_photo(seed=2), add_photo(seed=3)
    propose(drawn, opinions=2), propose(others, 2, opinions=2), propose(once)
    assert told(admin) == {"wanted": 3, "obtained": 0, "waiting": 3}
    for question in ask(annotator):
        say(annotator, question["id"], "accept")
    assert told(admin) == {"wanted": 3, "obtained": 0, "waiting": 3}
    mine = next(question for question in ask(reviewer) if question["image"]["id"] == str(others.id))
    say(reviewer, mine["id"], "fix")  # they disagree: a third person is wanted, but the second opinion is there
    Image.objects.filter(id=drawn.id).update(annotated_at=Now())
    assert told(admin) == {"wanted": 3, "obtained": 1, "waiting": 1}
    assert told(reviewer) is None


@pytest.mark.parametrize("job", [Job.CORRECT, Job.COMPLETE])
def test_where_the_model_was_wrong_most_comes_first(
    add_photo: Callable[..., Image],
    propose: Propose,
    ask: Callable[..., Any],
    say: Callable[..., Any],
    as_user: AsUser,
    dataset: Dataset,
    annotator: User,
    reviewer: User,
    job: Job,
) -> None:
    less, more, least = (add_photo(seed) for seed in range(3))
    wrong = {less.id: 1, more.id: 3, least.id: 0}
    for photo in (less, more, least):
        propose(photo, 3)
    answer = "fix" if job == Job.CORRECT else "not_an_object"
    for question in ask(reviewer):
        photo = mask_of(question).image_id
        wrong[photo] -= 1
        say(reviewer, question["id"], answer if wrong[photo] >= 0 else "accept")
    client = as_user(annotator)
    body = {"job": job, "besides": []}
    first = client.post(f"/api/datasets/{dataset.id}/assignments/", body, format="json").json()["assignment"]
    assert first["image"]["id"] == str(more.id)
    assert list(images_waiting(dataset, job))[:2] == [more, less]


@pytest.mark.parametrize("order", ["random", "import"])
def test_photos_are_completed_in_the_datasets_order(
    add_photo: Callable[..., Image],
    propose: Propose,
    ask: Callable[..., Any],
    say: Callable[..., Any],
    dataset: Dataset,
    reviewer: User,
    order: str,
) -> None:
    photos = [add_photo(seed) for seed in range(3)]
    for photo in photos:
        propose(photo)
    for question in ask(reviewer):
        say(reviewer, question["id"], "not_an_object" if mask_of(question).image_id == photos[2].id else "accept")
    Dataset.objects.update(work_order=order)
    dataset.refresh_from_db()
    in_order = photos if order == "import" else sorted(photos, key=lambda photo: photo.content_hash)
    assert list(images_waiting(dataset, Job.COMPLETE)) == in_order


def test_the_queues_say_what_waits_and_what_of_it_was_passed_over(
    add_photo: Callable[..., Image],
    propose: Propose,
    ask: Callable[..., Any],
    say: Callable[..., Any],
    as_user: AsUser,
    dataset: Dataset,
    annotator: User,
    reviewer: User,
) -> None:
    propose(add_photo(seed=1), 3)
    add_photo(seed=2)
    url = f"/api/datasets/{dataset.id}"

    def take(user: User) -> str:
        reply = as_user(user).post(f"{url}/assignments/", {"job": "annotate", "besides": []}, format="json")
        return f"/api/assignments/{reply.json()['assignment']['id']}"

    def queues(part: str) -> dict[str, int]:
        review = as_user(annotator).get(f"{url}/review/").json()
        assert review["stage"] == "semi_automatic"
        return {job: queue[part] for job, queue in review["queues"].items()}

    nothing = {"annotate": 0, "verify": 0, "complete": 0, "correct": 0}
    accepted, unsure, _ = ask(annotator)
    say(annotator, accepted["id"], "accept")
    assert queues("waiting") == {**nothing, "annotate": 1, "verify": 2}
    assert queues("skipped") == nothing
    say(annotator, unsure["id"], "unsure")
    skipped = as_user(annotator).post(f"{take(annotator)}/skip/", {"reason": "too dark"}, format="json")
    assert skipped.status_code == 204
    assert queues("waiting") == {**nothing, "annotate": 1, "verify": 1}
    assert queues("skipped") == {**nothing, "annotate": 1, "verify": 1}
    # Somebody else does what was passed over.
    (again,) = [question for question in ask(reviewer) if mask_of(question) == mask_of(unsure)]
    say(reviewer, again["id"], "accept")
    assert as_user(reviewer).post(f"{take(reviewer)}/submit/", {"masks": []}, format="json").status_code == 204
    assert queues("skipped") == nothing


def test_the_stage_decides_which_jobs_there_are(
    dataset: Dataset, photo: Image, as_user: AsUser, annotator: User, admin: User
) -> None:
    client = as_user(annotator)
    url = f"/api/datasets/{dataset.id}"
    for path, body in (("questions", {}), ("assignments", {"job": "complete"})):
        assert client.post(f"{url}/{path}/", body, format="json").json()["reason"] == "not_in_this_stage"
    assert client.post(f"{url}/stage/", {"stage": "automatic"}, format="json").status_code == 403
    assert as_user(admin).post(f"{url}/stage/", {"stage": "perfect"}, format="json").status_code == 400
    assert as_user(admin).post(f"{url}/stage/", {"stage": "semi_automatic"}, format="json").status_code == 204
    assert client.post(f"{url}/questions/", {}, format="json").json()["reason"] == "nothing_left"
    assert client.post(f"{url}/assignments/", {"job": "verify"}, format="json").status_code == 400


def test_bad_input_is_refused_and_strangers_learn_nothing(
    photo: Image,
    propose: Propose,
    ask: Callable[..., Any],
    say: Callable[..., Any],
    as_user: AsUser,
    dataset: Dataset,
    annotator: User,
    reviewer: User,
    stranger: User,
) -> None:
    propose(photo)
    (question,) = ask(annotator)
    assert say(annotator, question["id"], "perhaps").status_code == 400
    assert say(annotator, "no uuid", "accept").status_code == 400
    url = f"/api/datasets/{dataset.id}"
    for body in ({"count": 0}, {"count": 31}, {"besides": ["x"]}):
        assert as_user(annotator).post(f"{url}/questions/", body, format="json").status_code == 400
    for who in (stranger, reviewer, person("another stranger")):  # not theirs to answer, or to see
        assert say(who, question["id"], "accept").status_code == 404
    for path in ("review", "review/people", "review/rules"):
        assert as_user(stranger).get(f"{url}/{path}/").status_code == 404
    assert as_user(stranger).post(f"{url}/questions/", {}, format="json").status_code == 404
    assert as_user(reviewer).patch(f"{url}/review/rules/", {"precision": 0.5}, format="json").status_code == 403
    admin = dataset.created_by
    for fields in ({"precision": 1.5}, {"known_share": -1}, {"order": "luck"}):
        assert as_user(admin).patch(f"{url}/review/rules/", fields, format="json").status_code == 400
    reply = as_user(admin).patch(f"{url}/review/rules/", {"precision": 0.9}, format="json")
    assert reply.status_code == 200
    assert reply.json()["precision"] == 0.9
    assert not Verdict.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("decides", [True, False])
def test_somebody_is_asked_about_a_mask_in_the_moment_of_a_verdict_on_it_and_both_are_kept(
    photo: Image, propose: Propose, dataset: Dataset, annotator: User, reviewer: User, decides: bool
) -> None:
    (mask,) = propose(photo)
    late = Question.objects.create(
        mask=mask, holder=reviewer, kind=QuestionKind.PROPOSAL, state=QuestionState.EXPIRED, expires_at=Now()
    )
    said: dict[str, Any] = {"by": reviewer, "answer": Answer.ACCEPT, "seconds": 1.0}

    def judge() -> None:
        try:
            if decides:
                verdict_decide(mask=mask, **said)
            else:
                verdict_put(verdict_id=uuid4(), question=late, **said)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            dataset.refresh_from_db()
            (asked,) = questions_next(dataset=dataset, holder=annotator, count=1, besides=set()).questions
            judged = threads.submit(judge)
            until_somebody_waits_for_a_row()
        judged.result(20)
    assert Question.objects.filter(id=asked.id).exists()
    mask.refresh_from_db()
    assert (mask.state, Verdict.objects.count()) == (MaskState.ACTIVE, 1)
