"""Labelling without people."""

import pytest

from backend.annotation.models import Mask, MaskState, Origin
from backend.autolabel.models import AutolabelJob, AutolabelRun, JobState, RunState
from backend.autolabel.services import autolabel_job_run, autolabel_jobs_sweep
from backend.datasets.models import Split

pytestmark = pytest.mark.django_db(transaction=True)

EASY = {"min_predicted_iou": 0.0, "min_stability": 0.0, "points_per_side": 4, "min_region_px": 0}


@pytest.fixture
def start(dataset, admin, as_user):
    def post(settings=EASY):
        path = f"/api/datasets/{dataset.id}/autolabel-runs/"
        return as_user(admin).post(path, {"settings": settings}, format="json")

    return post


def work():
    for job in AutolabelJob.objects.filter(state=JobState.WAITING):
        autolabel_job_run(job_id=job.id)


def test_every_photo_that_nobody_labelled_gets_masks_and_test_photos_stay_for_people(
    dataset, annotator, add_photo, label, start, live
):
    test, mine, free = add_photo(1, split=Split.TEST), None, None
    label(annotator)
    add_photo(2), add_photo(3)
    mine = label(annotator)
    add_photo(4, split=Split.TEST)
    free = add_photo(5)
    reply = start()
    assert reply.status_code == 201, reply.content
    work()
    run = AutolabelRun.objects.get()
    assert run.state == RunState.DONE
    labelled = set(Mask.objects.filter(origin=Origin.AUTOMATIC).values_list("image_id", flat=True))
    assert free.id in labelled
    assert not labelled & {test.id, mine.id}
    assert {job.image.split for job in run.jobs.select_related("image")} == {Split.TRAIN}
    for mask in Mask.objects.filter(origin=Origin.AUTOMATIC):
        assert mask.checkpoint == live
        assert mask.area > 0
        assert len(mask.prompts) == 1


def test_a_second_delivery_of_a_job_adds_nothing(photo, start):
    start()
    job = AutolabelJob.objects.get()
    autolabel_job_run(job_id=job.id)
    before = list(Mask.objects.order_by("id").values_list("id", "counts"))
    assert before
    autolabel_job_run(job_id=job.id)
    # Even one that had begun before the first one ended:
    AutolabelJob.objects.filter(id=job.id).update(state=JobState.WAITING)
    AutolabelRun.objects.update(state=RunState.RUNNING)
    autolabel_job_run(job_id=job.id)
    assert list(Mask.objects.order_by("id").values_list("id", "counts")) == before


def test_a_photo_that_a_person_took_meanwhile_is_left_to_them(photo, annotator, take, start):
    start()
    take(annotator)
    work()
    assert AutolabelJob.objects.get().state == JobState.SKIPPED
    assert not Mask.objects.exists()


def test_a_broken_photo_fails_with_its_reason_and_can_be_tried_again(
    photo, admin, start, as_user, monkeypatch, dataset
):
    from backend.autolabel import services
    from engine.errors import PromptInvalid

    def broken(*_, **__):
        raise PromptInvalid("the embedding is of another shape")

    good = services.engine.label_everything
    monkeypatch.setattr(services.engine, "label_everything", broken)
    run_id = start().json()["id"]
    for _ in range(services.MAX_ATTEMPTS):
        work()
    path = f"/api/datasets/{dataset.id}/autolabel-runs/"
    (told,) = as_user(admin).get(path).json()
    assert told["counts"]["failed"] == 1
    assert told["failures"][0]["error"] == "the embedding is of another shape"
    monkeypatch.setattr(services.engine, "label_everything", good)
    assert as_user(admin).post(f"/api/autolabel-runs/{run_id}/retry/").status_code == 204
    work()
    assert AutolabelJob.objects.get().state == JobState.DONE


def test_a_cancelled_run_labels_nothing_more(photo, admin, start, as_user):
    run_id = start().json()["id"]
    assert as_user(admin).post(f"/api/autolabel-runs/{run_id}/cancel/").status_code == 204
    work()
    assert not Mask.objects.exists()


def test_settings_out_of_range_are_refused(photo, start):
    for settings in (
        {"points_per_side": 0},
        {"min_stability": 2},
        {"no_such": 1},
        {"points_per_batch": 0},
        {"max_masks": "x"},
    ):
        reply = start(settings)
        assert (reply.status_code, reply.json()["code"]) == (400, "settings_refused")
    assert not AutolabelRun.objects.exists()


def test_one_run_at_a_time_and_not_without_photos(dataset, start, add_photo):
    assert start().json()["code"] == "nothing_to_label"
    add_photo(1)
    assert start().status_code == 201
    assert start().json()["code"] == "autolabel_run_unfinished"


def test_the_sweep_wakes_jobs_whose_call_was_lost(photo, start, monkeypatch):
    start()
    AutolabelJob.objects.update(asked_at=None)
    sent = []
    monkeypatch.setattr("backend.autolabel.tasks.label_image.delay", sent.append)
    monkeypatch.setattr("backend.autolabel.tasks.label_image.delay_on_commit", sent.append)
    autolabel_jobs_sweep()
    assert sent == [str(AutolabelJob.objects.get().id)]


def test_automatic_masks_that_count_are_active(photo, start):
    start()
    work()
    assert set(Mask.objects.values_list("state", flat=True)) == {MaskState.ACTIVE}


def test_a_fault_that_nobody_foresaw_fails_the_photo_and_ends_the_run(photo, start, monkeypatch):
    from backend.autolabel import services

    monkeypatch.setattr(services.engine, "label_everything", lambda *_, **__: 1 / 0)
    start()
    for _ in range(services.MAX_ATTEMPTS):
        work()
    job = AutolabelJob.objects.get()
    assert (job.state, job.error) == (JobState.FAILED, "division by zero")
    assert AutolabelRun.objects.get().state == RunState.DONE


def test_a_photo_that_kills_every_worker_is_given_up(photo, start):
    from backend.autolabel import services

    start()
    AutolabelJob.objects.update(attempts=services.MAX_ATTEMPTS)
    work()
    job = AutolabelJob.objects.get()
    assert job.state == JobState.FAILED
    assert "died" in job.error
