"""Jobs of a photo each, of runs and of proposals: what counts against a photo, who is at one, and who is called again."""

import time
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from celery import current_app
from django.db import OperationalError
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as QueueAway

from backend.autolabel import jobs, proposals, services
from backend.autolabel.calibration import preview_start
from backend.autolabel.jobs import ASK_AGAIN_AFTER, MAX_ATTEMPTS, PAUSES_SECONDS, SILENT_AFTER
from backend.autolabel.models import AutolabelJob, ProposalJob
from backend.autolabel.proposals import proposal_job_run, proposals_called_in_vain, proposals_request, proposals_sweep
from backend.autolabel.selectors import Selection
from backend.autolabel.services import (
    autolabel_job_run,
    autolabel_jobs_called_in_vain,
    autolabel_jobs_sweep,
    autolabel_run_start,
)
from backend.common.models import Event
from backend.common.waking import calls_waiting
from backend.datasets.models import Dataset, Stage
from backend.inference import services as inference
from backend.inference.services import embedding_request
from engine.errors import PromptInvalid

pytestmark = pytest.mark.django_db(transaction=True)

EASY = {"min_predicted_iou": 0.0, "min_stability": 0.0, "points_per_side": 4, "min_region_px": 0}


class Killed(BaseException):
    pass


@dataclass
class Kind:
    """One of the two, with its job of the one photo that there is."""

    model: Any
    module: ModuleType
    task: str
    event: str
    run: Any
    sweep: Any
    called_in_vain: Any

    def work(self) -> None:
        self.run(job_id=self.row().id)

    def row(self) -> Any:
        return self.model.objects.get()

    def has(self, **fields: Any) -> None:
        self.model.objects.update(**fields)

    def broken(self, monkeypatch, error: BaseException) -> None:
        def away(_: str) -> bytes:
            raise error

        monkeypatch.setattr(self.module, "read", away)


@pytest.fixture(params=["a run", "proposals"])
def job(request, photo, dataset, detector, admin, live, calls) -> Kind:
    if request.param == "a run":
        autolabel_run_start(dataset=dataset, by=admin, settings=EASY)
        of_run = (autolabel_job_run, autolabel_jobs_sweep, autolabel_jobs_called_in_vain)
        kind = Kind(AutolabelJob, services, "label_image", "autolabel_run.asked_again", *of_run)
    else:
        Dataset.objects.update(stage=Stage.SEMI_AUTOMATIC)
        dataset.refresh_from_db()
        proposals_request(dataset=dataset)
        of_proposals = (proposal_job_run, proposals_sweep, proposals_called_in_vain)
        kind = Kind(ProposalJob, proposals, "propose_masks", "proposals.asked_again", *of_proposals)
    del calls[:]
    return kind


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", lambda seconds: made.append(seconds) if seconds else None)
    return made


def asked_again(job) -> list[int]:
    return [event.data["images"] for event in Event.objects.filter(kind=job.event).order_by("id")]


def called(job, calls) -> int:
    count = sum(call.task == job.task for call in calls)
    del calls[:]
    return count


@pytest.mark.parametrize("fault", [OSError("no space left"), MemoryError(), RuntimeError("the card is busy")])
def test_a_fault_of_ours_is_no_mark_against_the_photo_and_its_worker_pauses(
    job, calls, pauses, behind, monkeypatch, fault
):
    with monkeypatch.context() as for_a_while:
        job.broken(for_a_while, fault)
        for _ in range(MAX_ATTEMPTS + 1):
            job.work()
    row = job.row()
    assert (row.state, row.attempts, row.error) == ("waiting", 0, str(fault) or "MemoryError")
    assert pauses == (MAX_ATTEMPTS + 1) * list(PAUSES_SECONDS)
    behind(7)
    job.sweep()
    assert called(job, calls) == 0, "it would fail again"
    job.has(asked_at=Now() - 2 * ASK_AGAIN_AFTER)
    job.sweep()
    job.sweep()
    assert (called(job, calls), asked_again(job)) == (1, [1]), "its own call does not wait among these"
    job.work()
    assert (job.row().state, job.row().error) == ("done", "")


def test_a_fault_that_passes_meanwhile_leaves_nothing_behind(job, monkeypatch, pauses):
    as_it_is = job.module.read

    def away_at_first(key: str) -> bytes:
        if len(pauses) < 2:
            raise OperationalError("terminating connection due to administrator command")
        return as_it_is(key)

    monkeypatch.setattr(job.module, "read", away_at_first)
    job.work()
    row = job.row()
    assert (row.state, row.error, pauses) == ("done", "", list(PAUSES_SECONDS[:2]))


def test_a_photo_that_cannot_be_embedded_just_now_has_not_failed_and_one_that_the_model_refuses_has(
    job, monkeypatch, pauses
):
    with monkeypatch.context() as away:
        away.setattr(inference, "get_storage", lambda: 1 / 0)
        for _ in range(MAX_ATTEMPTS + 1):
            job.work()
    row = job.row()
    assert (row.state, row.attempts) == ("waiting", 0)
    assert "division by zero" in row.error
    assert pauses == (MAX_ATTEMPTS + 1) * list(inference.PAUSES_SECONDS), "once, not for each of these again"

    def refused(*_: object, **__: object) -> None:
        raise PromptInvalid("nothing to see")

    monkeypatch.setattr(inference, "_make", refused)
    for _ in range(MAX_ATTEMPTS):
        job.work()
    assert job.row().state == "failed"
    assert "nothing to see" in job.row().error


def test_a_photo_that_the_model_refuses_is_called_for_at_once_and_fails_with_the_reason(
    job, calls, pauses, monkeypatch
):
    job.broken(monkeypatch, PromptInvalid("nothing to see"))
    for attempt in range(1, MAX_ATTEMPTS + 1):
        job.work()
        assert (job.row().attempts, called(job, calls)) == (attempt, attempt < MAX_ATTEMPTS)
    assert (job.row().state, job.row().error, pauses) == ("failed", "nothing to see", [])


def test_a_photo_that_takes_its_worker_along_is_not_tried_without_end(job, calls, behind, monkeypatch):
    job.broken(monkeypatch, Killed())
    behind(7)
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(Killed):
            job.work()
        job.work()
        assert job.row().state == "waiting", "nobody knows yet that the worker is dead"
        job.sweep()
        assert called(job, calls) == 0
        job.has(heartbeat_at=Now() - 2 * SILENT_AFTER)
        job.sweep()
        job.sweep()
        assert called(job, calls) == 1, "however many others wait, and not once more while that call does"
    assert asked_again(job) == [1] * MAX_ATTEMPTS
    job.work()
    assert (job.row().state, job.row().error) == ("failed", "The worker died each time with this photo.")


def test_a_photo_that_takes_long_is_worked_on_once(job, calls, behind, monkeypatch):
    monkeypatch.setattr(jobs, "BEAT_EVERY_SECONDS", 0.01)
    as_it_is, begun = job.module.read, []

    def slow(key: str) -> bytes:
        begun.append(key)
        job.has(asked_at=Now() - 2 * ASK_AGAIN_AFTER, heartbeat_at=Now() - SILENT_AFTER / 2)
        before = job.row().heartbeat_at
        ends_at = time.monotonic() + 20
        while job.row().heartbeat_at == before:
            assert time.monotonic() < ends_at, "nobody hears of the worker"
        for _ in range(MAX_ATTEMPTS):
            job.sweep()
            job.work()
        return as_it_is(key)

    monkeypatch.setattr(job.module, "read", slow)
    job.work()
    assert (len(begun), called(job, calls), asked_again(job)) == (1, 0, [])
    assert (job.row().state, job.row().attempts) == ("done", 1)


def test_a_call_that_waits_behind_others_is_not_taken_for_lost(job, calls, behind):
    job.has(asked_at=Now() - 60 * ASK_AGAIN_AFTER)
    behind(7)
    job.sweep()
    assert (called(job, calls), asked_again(job)) == (0, [])
    behind(0)
    job.sweep()
    assert (called(job, calls), asked_again(job)) == (1, [1])


def test_where_the_queue_was_emptied_all_is_called_again_but_what_is_being_worked_on(job, calls, behind):
    behind(7)
    job.has(heartbeat_at=Now())
    job.called_in_vain()
    assert called(job, calls) == 0
    job.has(heartbeat_at=None)
    job.called_in_vain()
    assert (called(job, calls), asked_again(job), job.row().error) == (1, [1], "")


def test_where_the_queue_cannot_be_reached_nothing_is_called_and_nothing_breaks(job, calls, monkeypatch):
    def away(_: str) -> int:
        raise QueueAway

    monkeypatch.setattr(jobs, "calls_waiting", away)
    job.has(asked_at=Now() - 2 * ASK_AGAIN_AFTER)
    before = job.row().asked_at
    job.sweep()
    assert (called(job, calls), job.row().asked_at) == (0, before)


@pytest.fixture
def queue():
    """What waits for batch workers, in the order in which one takes it: the tasks, and the rows that they are about."""

    def taken() -> list[tuple[str, str]]:
        with current_app.connection_for_read() as connection, connection.SimpleQueue("batch") as waiting:
            messages = [waiting.get(block=False) for _ in range(calls_waiting("batch"))]
            for message in messages:
                message.ack()
        return [(message.headers["task"].rpartition(".")[2], message.payload[0][0]) for message in messages]

    taken()
    yield taken
    taken()


def test_what_annotators_wait_for_goes_before_a_preview_and_both_before_runs(
    photo, dataset, detector, admin, live, queue
):
    run = autolabel_run_start(dataset=dataset, by=admin, settings=EASY)
    preview = preview_start(dataset=dataset, by=admin, settings=EASY, selection=Selection())
    Dataset.objects.update(stage=Stage.SEMI_AUTOMATIC)
    dataset.refresh_from_db()
    proposals_request(dataset=dataset)
    embedding = embedding_request(image=photo, encoder_hash=live.encoder_hash, urgent=False)
    waiting = queue()
    runs_last = [("label_image", str(AutolabelJob.objects.get(run=one).id)) for one in (preview, run)]
    assert waiting[-2:] == runs_last
    proposal = ("propose_masks", str(ProposalJob.objects.get().id))
    assert {proposal, ("make_embedding", str(embedding.id))} <= set(waiting[:-2])
