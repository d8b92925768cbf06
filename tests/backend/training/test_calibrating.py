"""From a promotion to the thresholds of what was promoted: one calibration, with its detector."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from rest_framework.test import APIClient

from backend.accounts.models import User
from backend.autolabel.models import AutolabelJob, AutolabelRun, Detector, JobState, Purpose, RunState
from backend.autolabel.services import autolabel_run_cancel, run_close
from backend.checkpoints.models import BY_THE_GATE, Checkpoint
from backend.checkpoints.services import deployment_make, deployment_roll_back
from backend.common.events import event_record
from backend.common.models import Event
from backend.common.services import event_deliver
from backend.datasets.models import Dataset, Image, Split
from backend.training import claims
from backend.training.calibrating import DETECTOR_AWAITED, thresholds_sweep
from backend.training.detectors import detector_run_cancel
from backend.training.models import DetectorRun, TrainingRun
from backend.training.services import training_run_request

pytestmark = pytest.mark.django_db(transaction=True)

SETTINGS = {"points_per_side": 4}


def deliver() -> None:
    """The newest first, and each twice: no order is promised."""
    while (event := Event.objects.filter(delivered_at=None).order_by("-created_at", "-id").first()) is not None:
        for _ in range(2):
            Event.objects.filter(id=event.id).update(delivered_at=None)
            event_deliver(event_id=str(event.id))


@pytest.fixture
def candidate(live: Checkpoint, dataset: Dataset) -> Checkpoint:
    copied = {name: getattr(live, name) for name in ("architecture", "config", "input_side", "embedding_shape")}
    own = {"name": "other", "storage_key": "other", "file_hash": "other", "decoder_hash": "other"}
    return Checkpoint.objects.create(**copied, **own, encoder_hash=live.encoder_hash, dataset=dataset, parent=live)


@pytest.fixture
def promote(
    dataset: Dataset,
    candidate: Checkpoint,
    add_photo: Callable[..., Image],
    label: Callable[..., Image],
    annotator: User,
    admin: User,
) -> Callable[[], None]:
    """A retraining, as it ends. People have finished a test photo and one to learn from."""
    deliver()  # the first model came before there was anything to calibrate on
    for seed, split in enumerate((Split.TRAIN, Split.TEST)):
        add_photo(seed, split=split)
        label(annotator)

    def end() -> None:
        run = training_run_request(dataset=dataset, by=admin, recipe="decoder")
        with transaction.atomic():
            deployment_make(dataset=dataset, checkpoint=candidate, reason=BY_THE_GATE, by=None)
            TrainingRun.objects.filter(id=run.id).update(state="done", candidate=candidate, finished_at=Now())
            event_record("training_run.finished", subject=run.id, dataset=dataset.id)
        deliver()

    return end


@pytest.fixture
def calibrate(dataset: Dataset, admin: User, as_user: Callable[[User], APIClient]) -> Callable[[], AutolabelRun]:
    def by_hand() -> AutolabelRun:
        wanted = {"precision": 0.3, "settings": SETTINGS}
        reply = as_user(admin).post(f"/api/datasets/{dataset.id}/thresholds/", wanted, format="json")
        assert reply.status_code == 201, reply.content
        deliver()
        return AutolabelRun.objects.get(id=reply.json()["id"])

    return by_hand


def trained(checkpoint: Checkpoint) -> Detector:
    """The detector on its way, as its training ends."""
    run = DetectorRun.objects.get(state="waiting")
    hashes = {"encoder_hash": checkpoint.encoder_hash, "decoder_hash": checkpoint.decoder_hash}
    with transaction.atomic():
        detector = Detector.objects.create(dataset=run.dataset, detector_hash=str(run.id), storage_key="none", **hashes)
        DetectorRun.objects.filter(id=run.id).update(state="done", detector=detector, finished_at=Now())
        event_record("detector.ready", subject=detector.id, dataset=run.dataset_id, run=str(run.id))
    deliver()
    return detector


def ended(run: AutolabelRun) -> None:
    AutolabelJob.objects.filter(run=run).update(state=JobState.DONE, finished_at=Now())
    run_close(run)
    deliver()


def calibrations() -> list[tuple[Checkpoint, Detector | None, str]]:
    runs = AutolabelRun.objects.filter(purpose=Purpose.CALIBRATE).order_by("created_at")
    return [(run.checkpoint, run.detector, run.state) for run in runs]


def test_after_a_promotion_the_calibration_waits_for_the_detector_and_there_is_one(
    promote: Callable[[], None], candidate: Checkpoint
) -> None:
    promote()
    assert DetectorRun.objects.get().checkpoint == candidate
    thresholds_sweep()
    assert calibrations() == []
    detector = trained(candidate)
    assert calibrations() == [(candidate, detector, "running")]
    ended(AutolabelRun.objects.get())
    thresholds_sweep()
    assert calibrations() == [(candidate, detector, "done")]


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
def test_where_the_training_of_the_detector_comes_to_nothing_thresholds_are_chosen_without_it(
    promote: Callable[[], None], candidate: Checkpoint, admin: User, how: str
) -> None:
    promote()
    run = DetectorRun.objects.get()
    if how == "fails":
        claim = claims.claim_take(claims.DETECTORS, run.id)
        assert claim is not None
        claim.fail("too few complete photos")
    else:
        detector_run_cancel(run=run, by=admin)
    deliver()
    assert calibrations() == [(candidate, None, "running")]


def test_where_no_detector_can_be_asked_for_thresholds_are_chosen_at_once(
    promote: Callable[[], None], candidate: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.training import subscriptions
    from backend.training.errors import NothingToTrainOn

    def refused(**_: Any) -> None:
        raise NothingToTrainOn("There are no masks.")

    monkeypatch.setattr(subscriptions, "detector_run_request", refused)
    promote()
    assert calibrations() == [(candidate, None, "running")]


def test_a_detector_that_never_comes_is_not_waited_for_and_what_an_admin_cancels_stays_so(
    promote: Callable[[], None], candidate: Checkpoint, admin: User
) -> None:
    promote()
    TrainingRun.objects.update(finished_at=F("finished_at") - DETECTOR_AWAITED)
    DetectorRun.objects.update(created_at=F("created_at") - DETECTOR_AWAITED)
    for _ in range(2):
        thresholds_sweep()
    assert calibrations() == [(candidate, None, "running")]
    autolabel_run_cancel(run=AutolabelRun.objects.get(), by=admin)
    thresholds_sweep()
    assert calibrations() == [(candidate, None, "cancelled")]
    detector = trained(candidate)  # it came after all
    assert calibrations()[1:] == [(candidate, detector, "running")]


def test_a_calibration_that_a_person_began_meanwhile_goes_on_and_the_detector_is_tried_as_they_wanted(
    promote: Callable[[], None], candidate: Checkpoint, calibrate: Callable[[], AutolabelRun]
) -> None:
    promote()
    begun = calibrate()
    detector = trained(candidate)
    assert calibrations() == [(candidate, None, "running")]
    ended(begun)
    assert calibrations() == [(candidate, None, "done"), (candidate, detector, "running")]
    own = AutolabelRun.objects.get(state=RunState.RUNNING)
    assert (own.selection["precision"], own.settings, own.requested_by) == (0.3, SETTINGS, None)
    ended(own)
    assert len(calibrations()) == 2


def test_asking_for_the_very_calibration_that_is_on_its_way_begins_no_second_one(
    promote: Callable[[], None], candidate: Checkpoint, calibrate: Callable[[], AutolabelRun], add_photo: Any, label: Any,
    annotator: User,
) -> None:  # fmt: skip
    promote()
    trained(candidate)
    (first, second) = calibrate(), calibrate()
    assert first == second
    add_photo(3, split=Split.TEST)
    label(annotator)
    assert calibrate() != first, "there is one more photo to go by"
    assert [state for *_, state in calibrations()] == ["cancelled", "cancelled", "running"]


def test_a_promotion_gives_up_what_the_last_model_was_calibrated_for_and_rolling_back_to_it_calibrates_it(
    promote: Callable[[], None],
    live: Checkpoint,
    candidate: Checkpoint,
    calibrate: Callable[[], AutolabelRun],
    dataset: Dataset,
    admin: User,
) -> None:
    calibrate()
    promote()
    assert calibrations() == [(live, None, "cancelled")]
    ended(AutolabelRun.objects.get())
    detector = trained(candidate)
    ended(AutolabelRun.objects.get(detector=detector))
    deployment_roll_back(dataset=dataset, by=admin)
    deliver()
    assert calibrations()[1:] == [(candidate, detector, "done")], "the detector of the model before is asked for"
    own = trained(live)
    assert calibrations()[2:] == [(live, own, "running")]
    deployment_make(dataset=dataset, checkpoint=candidate, reason="by hand", by=admin)
    deliver()
    assert [state for *_, state in calibrations()] == ["cancelled", "done", "cancelled"], "its thresholds are there"


def test_a_detector_that_a_worker_trains_is_awaited_however_long_it_takes(
    promote: Callable[[], None], candidate: Checkpoint
) -> None:
    promote()
    DetectorRun.objects.update(created_at=Now() - 2 * DETECTOR_AWAITED)
    assert claims.claim_take(claims.DETECTORS, DetectorRun.objects.get().id) is not None
    thresholds_sweep()
    assert calibrations() == []
    DetectorRun.objects.update(heartbeat_at=Now() - 2 * claims.HEARTBEAT_STALE_AFTER)
    thresholds_sweep()
    assert calibrations() == [(candidate, None, "running")]


def test_another_models_calibration_is_none_of_the_live_one_for_which_no_detector_comes(
    promote: Callable[[], None],
    calibrate: Callable[[], AutolabelRun],
    live: Checkpoint,
    candidate: Checkpoint,
    dataset: Dataset,
    admin: User,
) -> None:
    promote()
    calibrate()
    deployment_make(dataset=dataset, checkpoint=live, reason="by hand", by=admin)
    deliver()
    assert calibrations() == [(candidate, None, "cancelled")]
    DetectorRun.objects.update(created_at=F("created_at") - 2 * DETECTOR_AWAITED)
    thresholds_sweep()
    assert calibrations()[-1] == (live, None, "running")
