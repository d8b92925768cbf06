"""Choosing thresholds: the arithmetic, then the way from a new checkpoint to a run that goes by them."""

from datetime import timedelta

import numpy as np
import pytest
from django.db import transaction
from django.db.models.functions import Now

from backend.annotation.models import Mask, MaskState, Origin
from backend.autolabel.calibration import calibration_fit, calibrations_sweep, thresholds_refit
from backend.autolabel.models import AutolabelJob, AutolabelRun, Detector, JobState, Purpose, RunState, Thresholds
from backend.autolabel.services import autolabel_job_run
from backend.autolabel.thresholds import (
    GOOD_IOU,
    IOU_STEPS,
    MASKS_WANTED,
    STABILITY_STEPS,
    Audited,
    Candidate,
    Chosen,
    choose,
)
from backend.common.events import event_record
from backend.common.models import Event
from backend.common.services import events_sweep
from backend.datasets.models import Split


def candidates(good_above: float, times: int = 1) -> list[Candidate]:
    """A hundred of each object's own, on as many photos; those with a predicted IoU above that are good."""
    return [
        Candidate(n / 100, 0.9, 0.9 if n / 100 > good_above else 0.1, f"photo {n}", number)
        for n in range(100)
        for number in range(times)
    ]


def test_the_thresholds_that_find_most_objects_at_the_precision_that_can_be_promised_are_chosen():
    chosen = choose(candidates(0.60, times=20), truths=2000, wanted=0.8)
    assert chosen.attained
    # 39 photos' are good; with those of up to 9 more below them, 80% are. By a bound there are fewer.
    assert 0.50 <= chosen.min_predicted_iou <= 0.60
    assert chosen.recall == pytest.approx(0.39)
    assert 0.8 <= chosen.interval[0] < chosen.precision <= chosen.interval[1]


def test_a_precision_that_cannot_be_had_is_said_and_the_nearest_is_taken():
    chosen = choose(candidates(0.995), truths=100, wanted=0.8)
    assert not chosen.attained
    assert chosen.precision < 0.8
    few = choose(candidates(0.85), truths=100, wanted=0.8)  # 14 good ones promise no more than about a half
    assert (few.attained, few.interval[0] < 0.8) == (False, True)
    assert few.precision > 0.8
    assert few.min_predicted_iou >= 0.8


def test_without_candidates_nothing_is_promised():
    chosen = choose([], truths=3, wanted=0.8)
    assert (chosen.attained, chosen.precision, chosen.recall, chosen.masks) == (False, None, 0.0, 0)


def test_stability_parts_what_predicted_iou_does_not():
    mixed = [
        Candidate(0.8, stability, iou, f"photo {n}", n)
        for n in range(200)
        for stability, iou in ((0.9, 0.9), (0.2, 0.1))
    ]
    chosen = choose(mixed, truths=200, wanted=0.95)
    assert chosen.attained
    assert 0.2 < chosen.min_stability <= 0.9
    assert chosen.precision == 1.0


def chance(confidence: float, stability: float, photo: float) -> float:
    """That a mask is good, on a photo that is as easy as that (0: as most)."""
    return float(1 / (1 + np.exp(-6 * (confidence - 0.5) - (stability - 0.5) - photo)))


def simulated(seed: int, photos: int, masks: int) -> list[Candidate]:
    """Candidates of photos that are not all equally hard, so that those of one photo are good or bad together."""
    rng = np.random.default_rng(seed)
    found = []
    for photo in range(photos):
        easy = rng.normal()
        for number, (confidence, stability, luck) in enumerate(rng.random((rng.poisson(masks), 3)).tolist()):
            iou = 0.9 if luck < chance(confidence, stability, easy) else 0.1
            found.append(Candidate(confidence, stability, iou, f"photo {photo}", number))
    return found


def test_the_precision_that_is_promised_is_kept_in_nearly_all_calibrations():
    many = [(c.predicted_iou, c.stability, c.iou) for c in simulated(1000, photos=4000, masks=15)]
    confidence, stability, iou = np.array(many).T
    attained, broken = 0, 0
    for seed, photos in enumerate([10, 40, 60] * 5):
        chosen = choose(simulated(seed, photos, masks=20), truths=20 * photos, wanted=0.8)
        left = (confidence > chosen.min_predicted_iou) & (stability >= chosen.min_stability)
        attained += chosen.attained
        broken += chosen.attained and (iou[left] >= GOOD_IOU).mean() < 0.8
    assert attained >= 8  # or else nothing was promised
    assert broken <= 1  # 95% are to keep it


def test_masks_of_few_photos_promise_less_than_as_many_of_many():
    def of(photos: int) -> Chosen:
        share = [0.75, 0.95] * (photos // 2)  # of a photo's masks that are good
        return choose(
            [
                Candidate(0.9, 0.9, 0.9 if n < 400 / photos * good else 0.1, f"photo {photo}", n)
                for photo, good in enumerate(share)
                for n in range(400 // photos)
            ],
            truths=400,
            wanted=0.8,
        )

    few, many = of(4), of(100)
    assert few.interval[0] < 0.7 < 0.8 < many.interval[0]
    assert (few.attained, many.attained) == (False, True)


def by_trying(candidates: list[Candidate], truths: int, precision: float) -> tuple[float, ...]:
    """Pair of thresholds by pair, the one that finds most among those with the precision."""
    best, chosen = None, ()
    for min_iou in IOU_STEPS:
        for min_stability in STABILITY_STEPS:
            kept = [c for c in candidates if c.predicted_iou > min_iou and c.stability >= min_stability]
            if len(kept) < min(MASKS_WANTED, max(1, len(candidates))):
                continue
            good = [c for c in kept if c.iou >= GOOD_IOU]
            found = len({(c.photo, c.truth) for c in good if c.truth is not None})
            if len(good) / len(kept) >= precision and (best is None or (found, len(kept)) > best):
                best = (found, len(kept))
                chosen = (float(min_iou), float(min_stability), len(good) / len(kept), len(kept), found / truths)
    return chosen


def some_candidates(seed: int, count: int, objects: int) -> list[Candidate]:
    rng = np.random.default_rng(seed)
    iou = np.clip(rng.normal(0.7, 0.2, count).round(2), -0.1, 1.1)  # on the very steps, too
    stability, true = rng.random(count).round(2), np.clip(iou + rng.normal(0, 0.15, count), 0, 1)
    owners = [None if n < 0 else int(n) for n in rng.integers(-3, objects, count)]
    return [Candidate(*map(float, each), "photo", own) for *each, own in zip(iou, stability, true, owners, strict=True)]


@pytest.mark.parametrize(("seed", "count"), [(1, 5), (2, 60), (4, 90)])
def test_what_is_left_and_found_is_what_trying_every_pair_of_thresholds_leaves_and_finds(seed, count):
    tried = some_candidates(seed, count, objects=20)
    chosen = choose(tried, truths=25, wanted=0.0)
    figures = (chosen.min_predicted_iou, chosen.min_stability, chosen.precision, chosen.masks, chosen.recall)
    assert figures == pytest.approx(by_trying(tried, 25, 0.0))


def figures(seed: int, count: int, above: float = 0.0, errors: float = 0.0) -> list[tuple[float, float, float, str]]:
    """Masks that are good as often as their predicted IoU says, or less often by so much: predicted IoU, stability, IoU, and
    each a photo of its own."""
    rng = np.random.default_rng(seed)
    predicted = above + (1 - above) * rng.random(count)
    good = rng.random(count) < predicted - errors
    return [
        (float(value), 0.9, 0.9 if right else 0.1, f"photo {number}")
        for number, (value, right) in enumerate(zip(predicted, good, strict=True))
    ]


def calibrated(seed: int) -> list[Candidate]:
    return [Candidate(*each, truth=0) for each in figures(seed, 1000)]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cut", [0.8, 0.88])
def test_audited_masks_of_a_run_do_not_lower_thresholds_to_where_it_kept_nothing(seed, cut):
    own = calibrated(seed)
    before = choose(own, truths=1000, wanted=0.8)
    audited = [Audited(*each, above=(cut, 0.0)) for each in figures(100 + seed, 1000, cut)]
    after = choose(own, truths=1000, wanted=0.8, audited=audited)
    assert after.attained
    assert before.min_predicted_iou <= after.min_predicted_iou <= before.min_predicted_iou + 0.05
    true = (1 + after.min_predicted_iou) / 2  # the mean chance of those above it
    assert after.precision == pytest.approx(true, abs=0.03)
    assert after.interval[0] < true < after.interval[1]


@pytest.mark.parametrize("cut", [0.8, 0.88])
def test_audited_masks_with_more_errors_than_the_test_photos_had_raise_the_thresholds(cut):
    own = calibrated(0)
    before = choose(own, truths=1000, wanted=0.8)
    audited = [Audited(*each, above=(cut, 0.0)) for each in figures(100, 1000, cut, errors=0.15)]
    after = choose(own, truths=1000, wanted=0.8, audited=audited)
    assert after.min_predicted_iou >= before.min_predicted_iou + 0.05


def test_audited_masks_of_two_runs_count_each_for_what_its_run_kept():
    own = calibrated(1)
    runs = ((0.8, 1000), (0.95, 4000))  # most are of the run that was the strictest, and nearly all of those are good
    audited = [Audited(*each, above=(cut, 0.0)) for cut, count in runs for each in figures(int(1000 * cut), count, cut)]
    after = choose(own, truths=1000, wanted=0.9, audited=audited)
    assert after.min_predicted_iou > 0.8
    assert after.precision == pytest.approx((1 + after.min_predicted_iou) / 2, abs=0.02)


def test_above_its_runs_thresholds_audited_masks_say_as_much_as_those_of_test_photos():
    same = [(0.9, 0.9, 0.9)] * 180 + [(0.9, 0.9, 0.1)] * 20
    own = [Candidate(*each, f"photo {number}", 0) for number, each in enumerate(same)]
    more = [Audited(*each, f"photo {number}", above=(0.5, 0.5)) for number, each in enumerate(same * 4)]
    before, after = (choose(own, truths=200, wanted=0.8, audited=audited) for audited in ((), more))
    assert (after.precision, after.masks) == (pytest.approx(0.9), 1000)
    # Five times as many masks, so an interval that is narrower by the root of five.
    narrower = (before.interval[1] - before.interval[0]) / (after.interval[1] - after.interval[0])
    assert narrower == pytest.approx(5**0.5, rel=0.15)


SMALL_GRID = {"points_per_side": 4, "min_region_px": 0}


@pytest.fixture
def post(dataset, admin, as_user):
    def send(path, **body):
        return as_user(admin).post(f"/api/datasets/{dataset.id}/{path}/", body, format="json")

    return send


def work():
    for job in AutolabelJob.objects.filter(state=JobState.WAITING):
        autolabel_job_run(job_id=job.id)


def deliver():
    """Events to their subscribers, as the sweeper does it late."""
    from django.db.models import F

    Event.objects.filter(delivered_at__isnull=True).update(created_at=F("created_at") - timedelta(minutes=5))
    events_sweep()


@pytest.mark.django_db(transaction=True)
def test_after_a_promotion_thresholds_are_chosen_on_the_test_photos_and_runs_go_by_them(
    dataset, admin, annotator, add_photo, label, post, as_user, live, monkeypatch, behind
):
    add_photo(1, split=Split.TEST)
    label(annotator, masks=2)
    assert post("thresholds", precision=2).status_code == 400
    reply = post("thresholds", precision=0.05, settings=SMALL_GRID)
    assert reply.status_code == 201, reply.content
    work()
    called = []
    monkeypatch.setattr("backend.autolabel.tasks.fit_thresholds.delay", called.append)
    monkeypatch.setattr("backend.autolabel.tasks.fit_thresholds.delay_on_commit", called.append)
    deliver()
    assert not Thresholds.objects.exists()  # a batch worker's work
    AutolabelRun.objects.update(finished_at=Now() - timedelta(minutes=5))
    behind(7)
    calibrations_sweep()
    assert len(called) == 1, "the call may stand behind others"
    behind(0)
    calibrations_sweep()  # a call that was lost is made again
    assert Event.objects.filter(kind="thresholds.asked_again").count() == 1
    assert called == [reply.json()["id"]] * 2
    for run_id in called:
        calibration_fit(run_id=run_id)
    calibrations_sweep()
    assert len(called) == 2
    fitted = Thresholds.objects.get()
    assert (fitted.checkpoint, fitted.wanted_precision, fitted.photos, fitted.complete) == (live, 0.05, 1, False)
    told = as_user(annotator).get(f"/api/datasets/{dataset.id}/thresholds/").json()["thresholds"]
    assert told["masks"] == fitted.masks
    assert not Mask.objects.filter(origin=Origin.AUTOMATIC).exists()  # looked at, not kept
    add_photo(2)
    run = post("autolabel-runs", settings=SMALL_GRID).json()
    assert run["thresholds"] == {
        "min_predicted_iou": fitted.min_predicted_iou,
        "min_stability": fitted.min_stability,
    }


@pytest.mark.django_db(transaction=True)
def test_a_new_live_checkpoint_is_calibrated_by_itself_once(dataset, annotator, add_photo, label, live):
    from backend.checkpoints.models import Checkpoint
    from backend.checkpoints.services import deployment_make

    deliver()
    add_photo(1, split=Split.TEST)
    label(annotator)
    assert not AutolabelRun.objects.exists()  # the first model came before there was anything to calibrate on
    other = Checkpoint.objects.get(id=live.id)
    other.pk, other._state.adding, other.file_hash, other.storage_key = None, True, "0" * 64, "checkpoints/other"
    from backend.common.ids import uuid7

    other.id = uuid7()
    other.save()
    deployment_make(dataset=dataset, checkpoint=other, reason="by hand", by=None)
    deliver()
    deliver()
    run = AutolabelRun.objects.get()
    assert (run.purpose, run.checkpoint, run.requested_by) == (Purpose.CALIBRATE, other, None)


def ready(detector):
    with transaction.atomic():
        event_record("detector.ready", subject=detector.id, dataset=detector.dataset_id, run="")
    deliver()


@pytest.mark.django_db(transaction=True)
def test_once_a_checkpoints_detector_is_trained_its_boxes_are_calibrated_as_the_last_time(
    dataset, annotator, add_photo, label, post, live, detector, as_user
):
    add_photo(1, split=Split.TEST)
    label(annotator)
    Detector.objects.filter(id=detector.id).update(decoder_hash="another")
    begun = post("thresholds", precision=0.3, settings=SMALL_GRID).json()
    assert begun["prompts"] == "grid"
    deliver()
    ready(detector)
    assert AutolabelRun.objects.get().state == RunState.RUNNING  # another checkpoint's detector changes nothing
    Detector.objects.filter(id=detector.id).update(decoder_hash=live.decoder_hash)
    ready(detector)
    ready(detector)  # told twice
    assert AutolabelRun.objects.get().state == RunState.RUNNING  # a person began it
    work()
    deliver()
    run = AutolabelRun.objects.get(state=RunState.RUNNING)
    assert (run.purpose, run.detector, run.settings) == (Purpose.CALIBRATE, detector, SMALL_GRID)
    assert run.selection["precision"] == 0.3
    told = as_user(annotator).get(f"/api/datasets/{dataset.id}/thresholds/").json()
    assert told["calibration"]["prompts"] == "both"


@pytest.mark.django_db(transaction=True)
def test_a_detector_is_not_calibrated_where_people_have_finished_no_test_photo(dataset, photo, detector):
    ready(detector)
    assert not AutolabelRun.objects.exists()
    assert not Event.objects.filter(delivered_at__isnull=True).exists()


@pytest.mark.django_db(transaction=True)
def test_without_finished_test_photos_there_is_nothing_to_calibrate_on(photo, post):
    reply = post("thresholds")
    assert (reply.status_code, reply.json()["code"]) == (409, "nothing_to_calibrate_on")


@pytest.mark.django_db(transaction=True)
def test_audited_pairs_raise_thresholds_that_promised_too_much(dataset, live):
    run = AutolabelRun.objects.create(
        dataset=dataset,
        checkpoint=live,
        purpose=Purpose.CALIBRATE,
        state=RunState.DONE,
        selection={"precision": 0.8, "complete": True},
    )
    from backend.autolabel.calibration import thresholds_fit
    from backend.datasets.models import Image

    for photo in range(20):
        image = Image.objects.create(
            dataset=dataset, file_name="a", content_hash=f"{photo}", original_key="a", display_key="a", thumbnail_key="a",
            media_type="image/png", width=9, height=9, byte_size=9, group="a", split=Split.TEST,
        )  # fmt: skip
        good = [
            {"predicted_iou": 0.4 + (n + photo / 20) / 20, "stability": 0.9, "iou": 0.9, "truth": n} for n in range(10)
        ]
        kept = {"masks": good, "truths": 10}
        AutolabelJob.objects.create(run=run, image=image, state=JobState.DONE, candidates=kept)
    first = thresholds_fit(run=run)
    assert (first.attained, first.min_predicted_iou < 0.4) == (True, True)
    # From 0.4 to 0.6, what people found was not good.
    bad = [Audited(0.4 + n / 500, 0.9, 0.2, f"photo {n}", above=(0.0, 0.0)) for n in range(100)]
    second = thresholds_refit(dataset=dataset, checkpoint=live, audited=bad)
    assert second.id == first.id
    assert second.min_predicted_iou > 0.5
    assert second.audited == 100


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "settings",
    [
        SMALL_GRID,
        {"points_per_side": 12, "min_region_px": 2},
        {**SMALL_GRID, "points_per_side": 12, "mode": "adaptive"},
    ],
)
def test_a_run_keeps_exactly_what_its_preview_showed_above_the_thresholds(
    dataset, add_photo, post, as_user, admin, annotator, settings
):
    for seed in (1, 2):
        add_photo(seed)
    assert as_user(annotator).post(f"/api/datasets/{dataset.id}/autolabel-previews/").status_code == 403
    preview = post("autolabel-previews", settings=settings).json()
    work()
    assert not Mask.objects.exists()
    told = as_user(admin).get(f"/api/autolabel-runs/{preview['id']}/preview/").json()
    assert told["run"]["state"] == "done"
    figures = sorted((mask["predicted_iou"], mask["stability"]) for photo in told["photos"] for mask in photo["masks"])
    assert len(figures) > 3
    middle = figures[len(figures) // 4][0] + 5e-5
    stable = sorted(stability for confidence, stability in figures if confidence > middle)
    thresholds = {"min_predicted_iou": middle, "min_stability": max(0.0, stable[len(stable) // 2] - 5e-5)}
    shown = {
        (photo["image"], round(mask["predicted_iou"], 3), mask["area"])
        for photo in told["photos"]
        for mask in photo["masks"]
        if mask["predicted_iou"] > thresholds["min_predicted_iou"] and mask["stability"] >= thresholds["min_stability"]
    }
    assert 0 < len(shown) < len(figures)
    assert post("autolabel-runs", settings=settings, thresholds=thresholds).status_code == 201
    work()
    kept = {(str(m.image_id), round(m.predicted_iou, 3), m.area) for m in Mask.objects.filter(state=MaskState.ACTIVE)}
    assert kept == shown


@pytest.mark.django_db(transaction=True)
def test_calibrated_thresholds_hold_for_runs_with_the_settings_that_they_were_chosen_with(dataset, photo, live, post):
    calibration = AutolabelRun.objects.create(
        dataset=dataset, checkpoint=live, purpose=Purpose.CALIBRATE, state=RunState.DONE, settings=SMALL_GRID
    )
    Thresholds.objects.create(
        dataset=dataset, checkpoint=live, calibration=calibration, wanted_precision=0.8, min_predicted_iou=0.7,
        min_stability=0.6, attained=True, masks=1, photos=1, complete=True,
    )  # fmt: skip
    for settings, holds in (
        ({**SMALL_GRID, "mode": "exact"}, True),
        ({**SMALL_GRID, "points_per_side": 5}, False),
        ({**SMALL_GRID, "mode": "adaptive"}, False),
        ({}, False),
    ):
        run = post("autolabel-runs", settings=settings).json()
        assert run["thresholds"] == ({"min_predicted_iou": 0.7, "min_stability": 0.6} if holds else None), settings
        AutolabelRun.objects.filter(id=run["id"]).update(state=RunState.CANCELLED)
