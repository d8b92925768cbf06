"""Automatic runs ask the model with a grid of points or with the detector's boxes, whichever finds more."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from rest_framework.test import APIClient

from backend.accounts.models import User
from backend.annotation.models import Mask, Origin
from backend.autolabel.calibration import thresholds_fit, thresholds_refit
from backend.autolabel.models import AutolabelJob, AutolabelRun, Detector, JobState, Purpose, RunState, Thresholds
from backend.autolabel.services import autolabel_job_run
from backend.autolabel.thresholds import Audited, Chosen, is_better
from backend.checkpoints.models import Checkpoint
from backend.datasets.models import Dataset, Image, Split

pytestmark = pytest.mark.django_db(transaction=True)

AsUser = Callable[[User], APIClient]
Post = Callable[..., HttpResponse]
SMALL_GRID = {"points_per_side": 4, "min_region_px": 0}
ALL = {"min_predicted_iou": 0.0, "min_stability": 0.0}


@pytest.fixture
def post(dataset: Dataset, admin: User, as_user: AsUser) -> Post:
    def send(path: str, **body: Any) -> Any:
        return as_user(admin).post(f"/api/datasets/{dataset.id}/{path}/", body, format="json")

    return send


def work() -> None:
    for job in AutolabelJob.objects.filter(state=JobState.WAITING):
        autolabel_job_run(job_id=job.id)


def rows(good: int, bad: int) -> list[dict[str, Any]]:
    """Candidates of as many objects, of which some are right."""
    right = [{"predicted_iou": 0.9, "stability": 0.9, "iou": 0.9, "truth": number} for number in range(good)]
    return right + [{"predicted_iou": 0.5, "stability": 0.5, "iou": 0.1, "truth": 0} for _ in range(bad)]


@pytest.fixture
def calibrated(dataset: Dataset, live: Checkpoint, photo: Image, detector: Detector) -> Callable[..., Thresholds]:
    def fit(grid: list[dict[str, Any]], boxes: list[dict[str, Any]]) -> Thresholds:
        run = AutolabelRun.objects.create(
            dataset=dataset,
            checkpoint=live,
            detector=detector,
            purpose=Purpose.CALIBRATE,
            selection={"precision": 0.8, "complete": True},
            state=RunState.DONE,
        )
        kept = {"masks": grid, "boxes": boxes, "truths": 40}
        AutolabelJob.objects.create(run=run, image=photo, state=JobState.DONE, candidates=kept)
        return thresholds_fit(run=run)

    return fit


def test_a_calibration_keeps_the_prompts_that_find_more_at_the_precision_that_is_wanted(
    calibrated: Callable[..., Thresholds], detector: Detector
) -> None:
    assert calibrated(rows(12, 30), rows(25, 30)).detector == detector
    assert calibrated(rows(25, 30), rows(12, 30)).detector is None
    # Finding more is worth nothing without the precision.
    useless = [{**row, "predicted_iou": 0.7, "stability": 0.7} for row in rows(30, 60)]
    assert calibrated(rows(12, 0), useless).detector is None


def test_where_neither_gives_the_precision_the_one_that_comes_nearer_is_better() -> None:
    near, far = (
        Chosen(0.5, 0.5, False, precision, (0.0, 1.0), recall, 20) for precision, recall in ((0.7, 0.1), (0.5, 0.6))
    )
    assert is_better(near, far)
    assert not is_better(far, near)
    assert is_better(Chosen(0.5, 0.5, True, 0.8, (0.0, 1.0), 0.01, 20), near)


def test_a_calibration_tries_both_on_the_test_photos_and_without_a_detector_the_grid_alone(
    dataset: Dataset,
    annotator: User,
    add_photo: Callable[..., Image],
    label: Callable[..., Image],
    post: Post,
    detector: Detector,
) -> None:
    add_photo(1, split=Split.TEST)
    label(annotator, masks=2)
    for hash_there, kinds in ((detector.decoder_hash, {"masks", "boxes", "truths"}), ("another", {"masks", "truths"})):
        Detector.objects.update(decoder_hash=hash_there)
        assert post("thresholds", precision=0.05, settings=SMALL_GRID).status_code == 201
        work()
        run = AutolabelRun.objects.latest("created_at")
        (kept,) = run.jobs.values_list("candidates", flat=True)
        assert set(kept) == kinds
        assert kept["masks"]
        assert kept.get("boxes", [None])


def test_a_run_goes_by_the_calibrations_prompts_and_its_masks_say_what_was_asked(
    dataset: Dataset,
    calibrated: Callable[..., Thresholds],
    detector: Detector,
    live: Checkpoint,
    post: Post,
    photo: Image,
) -> None:
    calibrated(rows(5, 0), rows(25, 0))
    Thresholds.objects.update(**ALL)
    # One that is trained meanwhile has other boxes: the thresholds were not chosen for them.
    Detector.objects.create(
        dataset=dataset,
        encoder_hash=live.encoder_hash,
        decoder_hash=live.decoder_hash,
        detector_hash="newer",
        storage_key="detectors/gone",
    )
    started = post("autolabel-runs", settings=SMALL_GRID)
    assert (started.status_code, started.json()["prompts"]) == (201, "boxes")
    run = AutolabelRun.objects.get(purpose=Purpose.LABEL)
    assert (run.detector, run.thresholds) == (detector, ALL)
    work()
    made = list(Mask.objects.filter(origin=Origin.AUTOMATIC))
    assert made
    for mask in made:
        (prompt,) = mask.prompts
        assert prompt["kind"] in ("box", "point")
        assert mask.crop_box is None
        assert mask.checkpoint == live
    AutolabelJob.objects.filter(run=run).update(state=JobState.WAITING)
    AutolabelRun.objects.filter(id=run.id).update(state=RunState.RUNNING)
    work()  # delivered again, to a worker that had begun before the first one ended
    assert set(Mask.objects.values_list("id", flat=True)) == {mask.id for mask in made}


def test_a_person_may_choose_the_prompts_and_then_the_other_ones_thresholds_do_not_hold(
    dataset: Dataset, calibrated: Callable[..., Thresholds], detector: Detector, post: Post, photo: Image
) -> None:
    calibrated(rows(5, 0), rows(25, 0))
    assert post("autolabel-runs", settings={**SMALL_GRID, **ALL}, prompts="sparks").status_code == 400
    started = post("autolabel-runs", settings=SMALL_GRID, prompts="grid")
    assert (started.status_code, started.json()["prompts"], started.json()["thresholds"]) == (201, "grid", None)


def test_boxes_without_a_detector_for_the_live_model_are_refused_with_a_sentence(
    photo: Image, live: Checkpoint, post: Post, dataset: Dataset, admin: User, as_user: AsUser
) -> None:
    for path in ("autolabel-runs", "autolabel-previews"):
        reply = post(path, settings=SMALL_GRID, prompts="boxes")
        assert (reply.status_code, reply.json()["code"]) == (409, "no_detector")
        assert "no detector for the live model" in reply.json()["message"]
    told = as_user(admin).get(f"/api/datasets/{dataset.id}/thresholds/").json()
    assert (told["has_detector"], told["thresholds"]) == (False, None)
    assert not AutolabelRun.objects.exists()


def test_a_preview_of_boxes_shows_what_a_run_of_boxes_keeps(
    detector: Detector, post: Post, photo: Image, admin: User, as_user: AsUser
) -> None:
    begun = post("autolabel-previews", settings=SMALL_GRID, prompts="boxes").json()
    work()
    (shown,) = as_user(admin).get(f"/api/autolabel-runs/{begun['id']}/preview/").json()["photos"]
    assert shown["masks"]
    figures = sorted(one["stability"] for one in shown["masks"])
    limits = {"min_predicted_iou": 0.0, "min_stability": figures[len(figures) // 2]}
    passing = [
        one["area"]
        for one in shown["masks"]
        if one["predicted_iou"] > 0 and one["stability"] >= limits["min_stability"]
    ]
    assert post("autolabel-runs", settings=SMALL_GRID, prompts="boxes", thresholds=limits).status_code == 201
    work()
    kept = Mask.objects.filter(origin=Origin.AUTOMATIC).values_list("area", flat=True)
    # Figures are shown rounded; nothing else may part the two.
    assert abs(len(passing) - len(kept)) <= 1
    assert set(kept) <= {one["area"] for one in shown["masks"]}


def test_what_an_audit_found_of_one_kind_says_nothing_of_the_other(
    calibrated: Callable[..., Thresholds], dataset: Dataset, live: Checkpoint, detector: Detector
) -> None:
    calibrated(rows(5, 0), rows(25, 0))
    for other in (None, uuid4()):  # the grid; another detector's boxes
        bad = [Audited(0.95, 0.95, 0.1, "photo", above=(0.0, 0.0), detector=other)] * 50
        fitted = thresholds_refit(dataset=dataset, checkpoint=live, audited=bad)
        assert fitted is not None
        assert (fitted.precision, fitted.audited, fitted.masks) == (1.0, 0, 25)
    good = [Audited(0.85, 0.95, 0.9, "photo", above=(0.0, 0.0), detector=detector.id)] * 20
    fitted = thresholds_refit(dataset=dataset, checkpoint=live, audited=good)
    assert fitted is not None
    assert (fitted.audited, fitted.masks) == (20, 45)
