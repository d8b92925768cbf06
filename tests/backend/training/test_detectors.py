"""The detector is trained by a real engine in a child process, on the masks so far."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from backend.accounts.models import User
from backend.annotation.models import Assignment
from backend.autolabel.models import Detector
from backend.checkpoints.models import BY_THE_GATE, Checkpoint
from backend.checkpoints.services import deployment_make
from backend.common.events import event_record
from backend.common.models import Event
from backend.common.services import event_deliver
from backend.datasets.models import Dataset, Image
from backend.training import claims, detectors
from backend.training.child import ChildStopped
from backend.training.detectors import detector_run_cancel, detector_run_request, detector_run_work
from backend.training.errors import NothingToTrainOn, TrainingRunUnfinished
from backend.training.models import DetectorRun, TrainingRun
from backend.training.services import training_run_request

AsUser = Callable[[User], APIClient]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def complete(add_photo: Callable[..., Image], label: Callable[..., Image], annotator: User) -> None:
    for seed in range(6):
        add_photo(seed)
    for _ in range(6):
        image = label(annotator, 2)
        Image.objects.filter(id=image.id).update(complete_at=image.created_at)


def test_a_detector_is_made_of_the_masks_so_far_and_belongs_to_the_live_encoder(
    dataset: Dataset, complete: None, admin: User, live: Any, as_user: AsUser
) -> None:
    run = detector_run_request(dataset=dataset, frozen_set=None, by=admin, steps=4)
    with pytest.raises(TrainingRunUnfinished):
        detector_run_request(dataset=dataset, frozen_set=None, by=admin)
    detector_run_work(run_id=run.id)
    run.refresh_from_db()
    assert run.state == "done", run.error
    detector = Detector.objects.get()
    assert (run.detector, detector.encoder_hash) == (detector, live.encoder_hash)
    assert detector.training["complete_photos"] + detector.training["calibration_photos"] == 6
    (shown,) = as_user(admin).get(f"/api/datasets/{dataset.id}/detector-runs/").json()
    assert (shown["state"], shown["progress"], shown["image_count"]) == ("done", {"step": 4, "steps": 4}, 6)
    assert shown["calibration"]["photos"] == detector.training["calibration_photos"]
    assert "Step 4 of 4: loss" in as_user(admin).get(f"/api/detector-runs/{run.id}/log/").content.decode()
    detector_run_work(run_id=run.id)  # delivered again
    assert Detector.objects.count() == 1


def test_admins_start_and_cancel_a_training_of_the_detector(
    dataset: Dataset,
    complete: None,
    admin: User,
    annotator: User,
    stranger: User,
    as_user: AsUser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = f"/api/datasets/{dataset.id}/detector-runs/"
    assert as_user(annotator).post(url).status_code == 403
    assert as_user(stranger).post(url).status_code == 404
    started = as_user(admin).post(url)
    assert (started.status_code, started.json()["state"]) == (201, "waiting")
    again = as_user(admin).post(url)
    assert (again.status_code, again.json()["code"]) == (409, "training_run_unfinished")
    own = f"/api/detector-runs/{started.json()['id']}"
    assert as_user(annotator).post(f"{own}/cancel/").status_code == 403
    assert as_user(stranger).post(f"{own}/cancel/").status_code == 404

    def cancelled_meanwhile(*_: Any, wanted: Callable[[], bool], **__: Any) -> None:
        assert wanted()
        assert as_user(admin).post(f"{own}/cancel/").status_code == 204
        assert not wanted()
        raise ChildStopped

    monkeypatch.setattr(detectors, "run_engine", cancelled_meanwhile)
    detector_run_work(run_id=started.json()["id"])
    run = DetectorRun.objects.get()
    assert (run.state, run.error, run.detector) == ("cancelled", "", None)
    assert [line[21:] for line in run.log.splitlines()][-1] == f"Cancelled by {admin.username}."
    assert not claims.DETECTORS.folder_of(run.id).exists()
    assert as_user(admin).post(url).status_code == 201  # and another may follow


def test_what_stopped_a_worker_is_no_error_any_more_once_the_next_one_is_further_or_the_run_was_cancelled(
    dataset: Dataset, complete: None, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = detector_run_request(dataset=dataset, frozen_set=None, by=admin, steps=4)
    DetectorRun.objects.filter(id=run.id).update(error="The disk of the worker is full", state="training")

    def further(*_: Any, tell: Callable[[dict[str, Any]], None], **__: Any) -> None:
        tell({"step": 1, "steps": 4, "loss": 1.0})
        assert DetectorRun.objects.get().error == ""
        DetectorRun.objects.update(error="The disk of the worker is full")
        detector_run_cancel(run=run, by=admin)
        raise ChildStopped

    monkeypatch.setattr(detectors, "run_engine", further)
    detector_run_work(run_id=run.id)
    run.refresh_from_db()
    assert (run.state, run.error) == ("cancelled", "")


def test_a_detectors_calibration_is_told_at_the_precision_that_the_review_asks_for(
    dataset: Dataset, complete: None, admin: User, annotator: User, as_user: AsUser
) -> None:
    steps = [
        {"confidence": 0.9, "precision": 1.0, "lower_bound": 0.8, "boxes": 10},
        {"confidence": 0.4, "precision": 0.75, "lower_bound": 0.6, "boxes": 40},
    ]
    detector = Detector.objects.create(
        dataset=dataset,
        encoder_hash="e",
        detector_hash="d",
        storage_key="none",
        thresholds=steps,
        training={"calibration_boxes": 50, "calibration_photos": 5},
    )
    run = detector_run_request(dataset=dataset, frozen_set=None, by=admin)
    DetectorRun.objects.filter(id=run.id).update(state="done", detector=detector)

    def told(precision: float) -> Any:
        rules = {"precision": precision}
        as_user(admin).patch(f"/api/datasets/{dataset.id}/review/rules/", rules, format="json")
        return as_user(annotator).get(f"/api/datasets/{dataset.id}/detector-runs/").json()[0]["calibration"]

    known = {"best_precision": 0.8, "photos": 5, "objects": 50}
    strict = {"threshold": 0.9, "precision": 1.0, "lower_bound": 0.8, "recall": 0.2}
    loose = {"threshold": 0.4, "precision": 0.75, "lower_bound": 0.6, "recall": 0.6}
    none = dict.fromkeys(strict)
    assert [told(0.7), told(0.5), told(0.9)] == [{**strict, **known}, {**loose, **known}, {**none, **known}]


def test_a_list_of_detectors_asks_the_database_no_more_than_one_of_them_does(
    dataset: Dataset, complete: None, admin: User, as_user: AsUser
) -> None:
    numbers = []
    for number in range(3):
        detector = Detector.objects.create(
            dataset=dataset, encoder_hash="e", detector_hash=str(number), storage_key="none"
        )
        run = detector_run_request(dataset=dataset, frozen_set=None, by=admin)
        DetectorRun.objects.filter(id=run.id).update(state="done", detector=detector)
        with CaptureQueriesContext(connection) as asked:
            shown = as_user(admin).get(f"/api/datasets/{dataset.id}/detector-runs/").json()
        assert len(shown) == number + 1
        assert all(one["calibration"] for one in shown)
        numbers.append(len(asked))
    assert len(set(numbers)) == 1


def test_without_complete_photos_it_says_why_there_is_no_detector(
    dataset: Dataset, add_photo: Callable[..., Image], label: Callable[..., Image], annotator: User, admin: User
) -> None:
    with pytest.raises(NothingToTrainOn):
        detector_run_request(dataset=dataset, frozen_set=None, by=admin)
    add_photo(1)
    label(annotator)
    run = detector_run_request(dataset=dataset, frozen_set=None, by=admin, steps=4)
    detector_run_work(run_id=run.id)
    run.refresh_from_db()
    assert run.state == "failed"
    assert "complete" in run.error
    assert DetectorRun.objects.count() == 1
    assert not Detector.objects.exists()
    assert Assignment.objects.exists()


def deliver() -> None:
    """As a worker does, twice."""
    for event in Event.objects.filter(delivered_at=None):
        for _ in range(2):
            event_deliver(event_id=str(event.id))
            Event.objects.filter(id=event.id).update(delivered_at=None)
        Event.objects.filter(id=event.id).update(delivered_at=Now())


@pytest.fixture
def another_encoder(live: Checkpoint, dataset: Dataset) -> Checkpoint:
    """A candidate of the recipe that learns the encoder."""
    names = ("architecture", "config", "decoder_hash", "input_side", "embedding_shape")
    copied = {name: getattr(live, name) for name in names}
    own = {"name": "other", "storage_key": "other", "file_hash": "other", "encoder_hash": "other"}
    return Checkpoint.objects.create(**copied, **own, dataset=dataset, parent=live)


@pytest.fixture
def with_a_detector(
    dataset: Dataset, live: Checkpoint, add_photo: Callable[..., Image], label: Callable[..., Image], annotator: User
) -> None:
    """As after a first retraining."""
    add_photo(1)
    label(annotator)
    deliver()
    assert not DetectorRun.objects.exists(), "a dataset whose first model goes live has asked for none yet"
    detector = Detector.objects.create(
        dataset=dataset,
        encoder_hash=live.encoder_hash,
        decoder_hash=live.decoder_hash,
        detector_hash="d",
        storage_key="none",
    )
    run = detector_run_request(dataset=dataset, frozen_set=None, by=None)
    DetectorRun.objects.filter(id=run.id).update(state="done", detector=detector)


def waiting() -> list[DetectorRun]:
    return list(DetectorRun.objects.filter(state="waiting"))


def test_another_encoder_made_live_by_hand_gets_a_detector_and_one_that_has_its_own_does_not(
    dataset: Dataset, with_a_detector: None, live: Checkpoint, another_encoder: Checkpoint, admin: User
) -> None:
    deployment_make(dataset=dataset, checkpoint=another_encoder, reason="by hand", by=admin)
    deliver()
    (run,) = waiting()
    assert (run.checkpoint, run.requested_by) == (another_encoder, None)
    claim = claims.claim_take(claims.DETECTORS, run.id)
    assert claim is not None
    claim.fail("too few complete photos")
    deliver()
    assert waiting() == [], "it would fail again"
    for checkpoint in (live, another_encoder):
        deployment_make(dataset=dataset, checkpoint=checkpoint, reason="by hand", by=admin)
        deliver()
        assert waiting() == []


def test_another_decoder_on_the_same_encoder_gets_a_detector_too(
    dataset: Dataset, with_a_detector: None, another_encoder: Checkpoint, live: Checkpoint, admin: User
) -> None:
    """What the usual recipe makes, promoted or rolled back to by hand."""
    Checkpoint.objects.filter(id=another_encoder.id).update(encoder_hash=live.encoder_hash, decoder_hash="another")
    another_encoder.refresh_from_db()
    deployment_make(dataset=dataset, checkpoint=another_encoder, reason="by hand", by=admin)
    deliver()
    (run,) = waiting()
    assert run.checkpoint == another_encoder


def test_another_encoder_gets_its_detector_when_the_one_on_its_way_for_the_old_one_is_done(
    dataset: Dataset, with_a_detector: None, another_encoder: Checkpoint, admin: User
) -> None:
    old = detector_run_request(dataset=dataset, frozen_set=None, by=None)
    run = training_run_request(dataset=dataset, by=admin, recipe="finetune")
    with transaction.atomic():
        deployment_make(dataset=dataset, checkpoint=another_encoder, reason=BY_THE_GATE, by=None)
        TrainingRun.objects.filter(id=run.id).update(state="done", candidate=another_encoder)
        event_record("training_run.finished", subject=run.id, dataset=dataset.id)
    deliver()
    assert waiting() == [old]
    detector_run_cancel(run=old, by=admin)
    deliver()
    (new,) = waiting()
    assert new.checkpoint == another_encoder


def test_a_retraining_that_ended_while_a_detector_was_trained_gets_its_own_afterwards_though_the_model_stays(
    dataset: Dataset, with_a_detector: None, admin: User
) -> None:
    old = detector_run_request(dataset=dataset, frozen_set=None, by=None)
    run = training_run_request(dataset=dataset, by=admin, recipe="decoder")
    with transaction.atomic():
        TrainingRun.objects.filter(id=run.id).update(state="done", decision="refused", finished_at=Now())
        event_record("training_run.finished", subject=run.id, dataset=dataset.id)
    deliver()
    assert waiting() == [old]
    detector_run_cancel(run=old, by=admin)
    deliver()
    (own,) = waiting()
    assert own.frozen_set == run.frozen_set
    detector_run_cancel(run=own, by=admin)
    deliver()
    assert waiting() == [], "one is enough"


def test_what_a_promoted_run_learnt_from_its_detector_learns_from_too(
    dataset: Dataset, with_a_detector: None, another_encoder: Checkpoint, admin: User
) -> None:
    run = training_run_request(dataset=dataset, by=admin, recipe="finetune")
    with transaction.atomic():
        deployment_make(dataset=dataset, checkpoint=another_encoder, reason=BY_THE_GATE, by=None)
        TrainingRun.objects.filter(id=run.id).update(state="done", candidate=another_encoder)
        event_record("training_run.finished", subject=run.id, dataset=dataset.id)
    deliver()
    (own,) = waiting()
    assert (own.checkpoint, own.frozen_set) == (another_encoder, run.frozen_set)


def test_a_worker_that_lost_its_claim_leaves_what_the_next_one_works_with(
    dataset: Dataset, complete: None, admin: User, live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = detector_run_request(dataset=dataset, frozen_set=None, by=admin, steps=4)
    folder = claims.DETECTORS.folder_of(run.id)

    def slept_too_long(arguments: list[str], **options: Any) -> None:
        assert (folder / "1" / "learn" / "manifest.jsonl").exists()
        DetectorRun.objects.update(heartbeat_at=Now() - 2 * claims.HEARTBEAT_STALE_AFTER)
        assert claims.claim_take(claims.DETECTORS, run.id) is not None
        (folder / "2").mkdir()
        assert not options["wanted"]()
        raise ChildStopped

    monkeypatch.setattr(detectors, "run_engine", slept_too_long)
    detector_run_work(run_id=run.id)
    assert [path.name for path in folder.iterdir()] == ["2"]
    run.refresh_from_db()
    assert (run.state, run.attempts, run.error) == ("training", 2, "")
