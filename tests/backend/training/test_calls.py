"""Workers are sent for where none came or where one died, and not once more while a call waits."""

import pytest
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as QueueAway

from backend.common import waking
from backend.common.models import Event
from backend.training.claims import HEARTBEAT_STALE_AFTER
from backend.training.detectors import detector_run_request, detector_runs_sweep
from backend.training.models import DetectorRun, TrainingRun
from backend.training.services import training_run_request, training_runs_sweep

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["training_run", "detector_run"])
def run(request, dataset, admin, annotator, photo, label, calls):
    """Asked for a while ago."""
    label(annotator)
    if request.param == "training_run":
        run, model = training_run_request(dataset=dataset, by=admin, recipe="debug_decoder"), TrainingRun
    else:
        run, model = detector_run_request(dataset=dataset, frozen_set=None, by=admin), DetectorRun
    model.objects.update(created_at=Now() - 2 * HEARTBEAT_STALE_AFTER)
    del calls[:]
    return run


def sweep() -> None:
    training_runs_sweep(), detector_runs_sweep()


def asked_again(run, calls):
    name = "training_run" if isinstance(run, TrainingRun) else "detector_run"
    told = Event.objects.filter(kind=f"{name}.asked_again", subject_id=run.id).count()
    assert [call.about for call in calls if call.task == f"work_on_{name}"] == [str(run.id)] * told
    return told


@pytest.mark.parametrize("heartbeat", [None, Now() - 2 * HEARTBEAT_STALE_AFTER])
def test_a_run_whose_call_or_worker_was_lost_is_called_for_once_and_the_events_tell(run, calls, behind, heartbeat):
    type(run).objects.update(heartbeat_at=heartbeat)
    sweep()
    assert asked_again(run, calls) == 1
    behind(1)  # that one, while the worker is busy for hours
    sweep()
    sweep()
    assert asked_again(run, calls) == 1


def test_a_run_that_somebody_works_on_is_called_for_by_nobody(run, calls, behind):
    type(run).objects.update(heartbeat_at=Now())
    sweep()
    assert asked_again(run, calls) == 0


def test_where_the_queue_is_away_no_run_is_called_for(run, calls, monkeypatch):
    def away(_: str) -> int:
        raise QueueAway

    monkeypatch.setattr(waking, "calls_waiting", away)
    sweep()
    assert asked_again(run, calls) == 0
