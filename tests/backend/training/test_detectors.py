"""The detector is trained by a real engine in a child process, on the masks so far."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.annotation.models import Assignment
from backend.autolabel.models import Detector
from backend.datasets.models import Dataset, Image
from backend.training import claims, detectors
from backend.training.child import ChildStopped
from backend.training.detectors import detector_run_request, detector_run_work
from backend.training.errors import NothingToTrainOn, TrainingRunUnfinished
from backend.training.models import DetectorRun

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def complete(add_photo: Callable[..., Image], label: Callable[..., Image], annotator: User) -> None:
    for seed in range(6):
        add_photo(seed)
    for _ in range(6):
        image = label(annotator, 2)
        Image.objects.filter(id=image.id).update(complete_at=image.created_at)


def test_a_detector_is_made_of_the_masks_so_far_and_belongs_to_the_live_encoder(
    dataset: Dataset, complete: None, admin: User, live: Any
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
    detector_run_work(run_id=run.id)  # delivered again
    assert Detector.objects.count() == 1


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
