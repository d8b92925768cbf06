"""When a dataset retrains by itself."""

from datetime import datetime, timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from backend.annotation.models import Mask, MaskState, Origin
from backend.common.clock import database_now
from backend.datasets.services import dataset_create
from backend.review.models import Verdict
from backend.training import services
from backend.training.models import RetrainPolicy, RunState, TrainingRun
from backend.training.selectors import policy_due, policy_of
from backend.training.services import policies_run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def policy(dataset, admin, as_user):
    """Set as the page sets it."""

    def set_to(**fields):
        body = {"enabled": True, "recipe": "debug_decoder", "settle_minutes": 0, "cooldown_minutes": 0, **fields}
        reply = as_user(admin).patch(f"/api/datasets/{dataset.id}/retrain-policy/", body, format="json")
        assert reply.status_code == 200, reply.content
        return reply.json()

    return set_to


@pytest.fixture
def masks(annotator, add_photo, label):
    def draw(count=1):
        for _ in range(count):
            add_photo(100 + Mask.objects.count())
            label(annotator)

    return draw


def finish_runs(**fields):
    TrainingRun.objects.update(state=RunState.DONE, finished_at=Now(), **fields)


def test_it_waits_for_so_many_masks_by_people_and_says_how_many_there_are(dataset, policy, masks):
    masks(1)
    assert policy(after_new_masks=2)["why"] == "1 of 2 new masks."
    policies_run()
    assert not TrainingRun.objects.exists()
    masks(1)
    policies_run()
    run = TrainingRun.objects.get()
    assert run.why == "2 new masks since the last run."
    assert policy_due(policy_of(dataset)).why == "A run is on its way; there is one at a time."


def test_a_dataset_whose_policy_breaks_keeps_no_other_dataset_waiting(dataset, admin, monkeypatch):
    other = dataset_create(creator=admin, name="Other", test_images_wanted=1, test_masks_wanted=1)
    asked = []

    def due(policy):
        asked.append(policy.dataset)
        raise OSError("the storage is away")

    for one in (dataset, other):
        RetrainPolicy.objects.create(dataset=one, enabled=True)
    monkeypatch.setattr(services, "policy_due", due)
    policies_run()
    assert set(asked) == {dataset, other}


def test_automatic_masks_do_not_start_a_run(dataset, policy, masks):
    policy(after_new_masks=1)
    masks(1)
    Mask.objects.update(origin=Origin.AUTOMATIC)
    assert policy_due(policy_of(dataset)).why == "0 of 1 new masks."


def test_a_proposal_is_a_new_mask_once_somebody_accepts_it_and_never_twice(dataset, policy, masks, reviewer):
    policy(after_new_masks=1)
    masks(1)
    proposal = Mask.objects.get()
    Mask.objects.update(origin=Origin.PROPOSED, state=MaskState.PROPOSED)
    assert policy_due(policy_of(dataset)).why == "0 of 1 new masks."

    Mask.objects.update(state=MaskState.ACTIVE)
    Verdict.objects.create(mask=proposal, by=reviewer, answer="accept")
    policies_run()
    assert TrainingRun.objects.get().why == "1 new mask since the last run."
    finish_runs()
    assert policy_due(policy_of(dataset)).why == "0 of 1 new masks."
    Verdict.objects.create(mask=proposal, by=reviewer, answer="accept")  # after the run that has learnt from it
    assert policy_due(policy_of(dataset)).why == "0 of 1 new masks."


@pytest.mark.parametrize("origin", [Origin.PROPOSED, Origin.ASSISTED])
def test_a_mask_that_was_disputed_when_a_run_began_is_new_once_it_counts_again_and_never_twice(
    dataset, policy, masks, reviewer, origin
):
    policy(after_new_masks=1)
    masks(2)
    disputed = Mask.objects.first()

    def decide(answer, state):
        Verdict.objects.create(mask=disputed, by=reviewer, answer=answer)
        Mask.objects.filter(id=disputed.id).update(origin=origin, state=state)

    decide("accept", MaskState.ACTIVE)
    decide("fix", MaskState.FAULTY)
    policies_run()
    finish_runs()
    assert policy_due(policy_of(dataset)).why == "0 of 1 new masks."
    decide("accept", MaskState.ACTIVE)
    assert policy_due(policy_of(dataset)).why == "1 new mask since the last run."
    policies_run()
    finish_runs()
    decide("fix", MaskState.FAULTY)
    decide("accept", MaskState.ACTIVE)
    assert policy_due(policy_of(dataset)).why == "0 of 1 new masks."


def test_a_burst_is_over_so_long_after_the_last_answer_that_accepted_a_mask(dataset, policy, masks, reviewer):
    policy(after_new_masks=1, settle_minutes=5)
    masks(1)
    Mask.objects.update(origin=Origin.PROPOSED, created_at=F("created_at") - timedelta(minutes=6))
    assert policy_due(policy_of(dataset)).now
    Verdict.objects.create(mask=Mask.objects.get(), by=reviewer, answer="accept")
    due = policy_due(policy_of(dataset))
    assert not due.now
    assert timedelta(minutes=4) < due.when - database_now() <= timedelta(minutes=5)


def test_a_second_opinion_on_an_accepted_mask_brings_no_new_mask_and_puts_nothing_off(
    dataset, policy, masks, reviewer, admin
):
    policy(after_new_masks=1, settle_minutes=5)
    masks(1)
    Mask.objects.update(origin=Origin.PROPOSED, created_at=F("created_at") - timedelta(minutes=7))
    Verdict.objects.create(mask=Mask.objects.get(), by=reviewer, answer="accept")
    Verdict.objects.update(created_at=F("created_at") - timedelta(minutes=6))
    Verdict.objects.create(mask=Mask.objects.get(), by=admin, answer="accept")
    assert policy_due(policy_of(dataset)).now


def test_in_a_burst_of_masks_it_waits_until_the_burst_is_over(dataset, policy, masks):
    policy(after_new_masks=2, settle_minutes=5)
    masks(2)
    due = policy_due(policy_of(dataset))
    assert not due.now
    assert due.why.endswith("It waits until none has come for 5 minutes.")
    assert timedelta(minutes=4) < due.when - database_now() <= timedelta(minutes=5)
    Mask.objects.update(created_at=F("created_at") - timedelta(minutes=6))
    assert policy_due(policy_of(dataset)).now


def test_a_burst_that_does_not_end_is_not_waited_for(dataset, policy, masks):
    policy(after_new_masks=1, settle_minutes=5)
    masks(2)
    assert policy_due(policy_of(dataset)).now


def test_after_a_run_it_cools_down(dataset, policy, masks):
    policy(after_new_masks=1, cooldown_minutes=30)
    masks(1)
    policies_run()
    finish_runs()
    masks(1)
    due = policy_due(policy_of(dataset))
    assert due.why == "1 new mask since the last run. The last run ended less than 30 minutes ago."
    assert timedelta(minutes=29) < due.when - database_now() <= timedelta(minutes=30)
    policies_run()
    assert TrainingRun.objects.count() == 1


def test_the_quota_of_runs_in_a_day_holds_and_runs_by_hand_are_not_counted(dataset, admin, policy, masks):
    policy(after_new_masks=1, max_runs_per_day=1)
    masks(1)
    policies_run()
    finish_runs()
    masks(1)
    due = policy_due(policy_of(dataset))
    assert due.why.endswith("It has started 1 run in 24 hours, and may start no more.")
    assert timedelta(hours=23) < due.when - database_now() <= timedelta(hours=24)
    TrainingRun.objects.update(requested_by=admin)
    assert policy_due(policy_of(dataset)).now


def test_a_run_that_failed_has_learnt_nothing_so_its_masks_still_count(dataset, policy, masks):
    policy(after_new_masks=1)
    masks(1)
    policies_run()
    finish_runs()
    assert policy_due(policy_of(dataset)).why == "0 of 1 new masks."
    TrainingRun.objects.update(state=RunState.FAILED)
    assert policy_due(policy_of(dataset)).now


def test_a_schedule_fires_when_it_is_due_and_shows_its_next_time(dataset, policy, masks):
    masks(1)
    told = policy(crontab="0 3 * * *")
    assert told["why"] == "By the schedule 0 3 * * *, with 1 new mask so far."
    next_time = datetime.fromisoformat(told["due_at"])
    assert (next_time.hour, next_time.minute) in ((3, 0), (2, 59))  # the clock went on while it was asked
    assert next_time - database_now() <= timedelta(days=1)
    two_days = Now() - timedelta(days=2)
    RetrainPolicy.objects.update(created_at=two_days, passed_over_at=two_days)
    assert policy_due(policy_of(dataset)).now
    policies_run()
    assert TrainingRun.objects.get().why == "The schedule 0 3 * * * is due, with 1 new mask."


def test_a_schedule_that_found_nothing_new_is_passed_over_until_its_next_time(dataset, policy, masks):
    policy(crontab="0 3 * * *")
    two_days = Now() - timedelta(days=2)
    RetrainPolicy.objects.update(created_at=two_days, passed_over_at=two_days)
    policies_run()
    masks(1)
    policies_run()
    assert not TrainingRun.objects.exists()


@pytest.mark.parametrize(
    "bad",
    [
        {"crontab": "at night"},
        {"crontab": "99 * * * *"},
        {"recipe": "magic"},
        {"after_new_masks": 0},
        {"max_runs_per_day": 0},
        {"settle_minutes": -1},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_and_nothing_changes(dataset, admin, as_user, bad):
    reply = as_user(admin).patch(f"/api/datasets/{dataset.id}/retrain-policy/", bad, format="json")
    assert reply.status_code == 400
    assert reply.json()["message"]
    assert not RetrainPolicy.objects.exists()
