"""Labelling without people."""

import pytest
from django.db.models.functions import Now

from backend.annotation.models import Mask, MaskState, Origin
from backend.autolabel.jobs import MAX_ATTEMPTS
from backend.autolabel.models import AutolabelJob, AutolabelRun, JobState, RunState
from backend.autolabel.services import autolabel_job_run, autolabel_jobs_sweep
from backend.checkpoints.selectors import live_checkpoint
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
    for _ in range(MAX_ATTEMPTS):
        work()
    path = f"/api/datasets/{dataset.id}/autolabel-runs/"
    (told,) = as_user(admin).get(path).json()
    assert told["counts"]["failed"] == 1
    assert told["failures"][0]["error"] == "the embedding is of another shape"
    monkeypatch.setattr(services.engine, "label_everything", good)
    assert as_user(admin).post(f"/api/autolabel-runs/{run_id}/retry/").status_code == 204
    work()
    assert AutolabelJob.objects.get().state == JobState.DONE


def test_photos_of_a_paused_run_that_are_tried_again_wait_until_it_goes_on(photo, admin, start, as_user, calls):
    run_id = start().json()["id"]
    AutolabelJob.objects.update(state=JobState.FAILED, attempts=MAX_ATTEMPTS, error="broken", finished_at=Now())
    AutolabelRun.objects.update(state=RunState.PAUSED)
    calls.clear()
    assert as_user(admin).post(f"/api/autolabel-runs/{run_id}/retry/").status_code == 204
    assert AutolabelRun.objects.get().state == RunState.PAUSED
    job = AutolabelJob.objects.get()
    assert (job.state, job.attempts, job.error, job.asked_at) == (JobState.WAITING, 0, "", None)
    assert [call for call in calls if call.task == "label_image"] == []
    assert as_user(admin).post(f"/api/autolabel-runs/{run_id}/resume/").status_code == 204
    assert [call.about for call in calls if call.task == "label_image"] == [str(job.id)]
    work()
    assert AutolabelRun.objects.get().state == RunState.DONE


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


def test_the_sweep_wakes_jobs_that_were_not_woken(photo, start, calls, behind):
    start()
    AutolabelJob.objects.update(asked_at=None)
    behind(7)
    del calls[:]
    autolabel_jobs_sweep()
    assert [(call.task, call.about) for call in calls] == [("label_image", str(AutolabelJob.objects.get().id))]


def test_automatic_masks_that_count_are_active(photo, start):
    start()
    work()
    assert set(Mask.objects.values_list("state", flat=True)) == {MaskState.ACTIVE}


def test_a_run_tells_which_fault_its_photos_wait_for_and_forgets_it_when_they_are_tried_again(
    photo, dataset, start, admin, as_user, monkeypatch
):
    from backend.autolabel import jobs, services

    def told():
        (run,) = as_user(admin).get(f"/api/datasets/{dataset.id}/autolabel-runs/").json()
        return run["state"], run["counts"]["failed"], run["postponed"]

    start()
    assert told() == ("running", 0, None)
    monkeypatch.setattr(jobs, "PAUSES_SECONDS", ())
    with monkeypatch.context() as for_a_while:
        for_a_while.setattr(services.engine, "label_everything", lambda *_, **__: 1 / 0)
        work()
    assert told() == ("running", 0, {"photos": 1, "error": "division by zero"})
    work()
    assert told() == ("done", 0, None)


def test_a_paused_run_begins_no_photo_and_goes_on_where_it_stopped(dataset, add_photo, start, admin, as_user):
    for seed in (1, 2):
        add_photo(seed)
    run_id = start().json()["id"]
    path = f"/api/autolabel-runs/{run_id}"
    first, second = AutolabelJob.objects.order_by("id")
    autolabel_job_run(job_id=first.id)
    assert as_user(admin).post(f"{path}/pause/").status_code == 204
    work()
    assert AutolabelJob.objects.get(id=second.id).state == JobState.WAITING
    assert start().json()["code"] == "autolabel_run_unfinished"  # it is still there
    assert as_user(admin).post(f"{path}/pause/").json()["code"] == "autolabel_run_not_running"
    assert as_user(admin).post(f"{path}/resume/").status_code == 204
    work()
    run = AutolabelRun.objects.get()
    assert (run.state, run.jobs.filter(state=JobState.DONE).count()) == (RunState.DONE, 2)


def test_the_photo_that_a_worker_has_in_hand_when_its_run_is_paused_is_finished(photo, start, monkeypatch):
    from backend.autolabel import services

    start()
    work_with_it = services.engine.label_everything

    def then_pause(*arguments, **options):
        AutolabelRun.objects.update(state=RunState.PAUSED)
        return work_with_it(*arguments, **options)

    monkeypatch.setattr(services.engine, "label_everything", then_pause)
    work()
    assert AutolabelJob.objects.get().state == JobState.DONE
    assert AutolabelRun.objects.get().state == RunState.DONE


def test_photos_with_automatic_masks_are_labelled_anew_and_the_old_masks_give_way(
    dataset, annotator, add_photo, label, admin, as_user, start
):
    old = add_photo(1)
    start(), work()
    before = set(Mask.objects.values_list("id", flat=True))
    assert before
    Mask.objects.update(audit_wanted=True)
    add_photo(2)
    path = f"/api/datasets/{dataset.id}"
    for which, photos in (("waiting", 1), ("automatic", 1), ("all", 2)):
        assert as_user(admin).get(f"{path}/autolabel-selection/?which={which}").json() == {"photos": photos}
    assert as_user(admin).get(f"{path}/autolabel-selection/?which=all&name=PHOTO%201").json() == {"photos": 1}
    assert as_user(admin).get(f"{path}/autolabel-selection/?which=mine").status_code == 400
    body = {"settings": EASY, "selection": {"which": "automatic"}}
    assert as_user(admin).post(f"{path}/autolabel-runs/", body, format="json").status_code == 201
    work()
    assert set(Mask.objects.filter(id__in=before).values_list("state", flat=True)) == {MaskState.REPLACED}
    assert not Mask.objects.filter(audit_wanted=True).exists()  # nobody audits what is gone
    fresh = Mask.objects.filter(state=MaskState.ACTIVE)
    assert set(fresh.values_list("image_id", flat=True)) == {old.id}


def test_a_run_takes_the_photos_that_the_gallery_shows(dataset, add_photo, admin, annotator, as_user, start):
    add_photo(1), add_photo(2)
    start(), work()
    Mask.objects.filter(image__file_name="photo 1.jpg").update(predicted_iou=0.1)
    Mask.objects.exclude(image__file_name="photo 1.jpg").update(predicted_iou=0.9)
    path, choice = f"/api/datasets/{dataset.id}", {"status": "automatic", "confidence_to": 0.5}
    shown = as_user(admin).get(f"{path}/images/", choice).json()["results"]
    assert [photo["file_name"] for photo in shown] == ["photo 1.jpg"]
    made = {"made_to": "2000-01-01T00:00:00Z", "checkpoint": str(live_checkpoint(dataset.id).id)}
    for chosen, photos in ((choice, 1), ({"status": "waiting"}, 0), ({"split": "test"}, 0), (made, 0), ({}, 2)):
        asked = {"which": "all", **chosen}
        assert as_user(admin).get(f"{path}/autolabel-selection/", asked).json() == {"photos": photos}
    body = {"settings": EASY, "selection": {"which": "all", **choice, "made_from": "2000-01-01T00:00:00Z"}}
    assert as_user(admin).post(f"{path}/autolabel-runs/", body, format="json").status_code == 201
    run = AutolabelRun.objects.get(state=RunState.RUNNING)
    assert [job.image.file_name for job in run.jobs.all()] == ["photo 1.jpg"]
    body["selection"] = "all"
    assert as_user(admin).post(f"{path}/autolabel-runs/", body, format="json").status_code == 400
    assert as_user(annotator).get(f"{path}/autolabel-selection/").status_code == 403  # some choices are not theirs


def test_a_photo_that_a_person_labelled_is_never_labelled_again(dataset, annotator, add_photo, label, admin, as_user):
    add_photo(1)
    label(annotator)
    reply = as_user(admin).get(f"/api/datasets/{dataset.id}/autolabel-selection/?which=all")
    assert reply.json() == {"photos": 0}


def test_a_run_tells_its_throughput_and_when_it_will_end(dataset, add_photo, start, admin, as_user):
    for seed in (1, 2, 3):
        add_photo(seed)
    start()
    autolabel_job_run(job_id=AutolabelJob.objects.first().id)
    (told,) = as_user(admin).get(f"/api/datasets/{dataset.id}/autolabel-runs/").json()
    assert told["photos_per_minute"] > 0
    assert told["seconds_left"] == pytest.approx(2 * 60 / told["photos_per_minute"], abs=0.1)


def test_four_workers_and_every_call_twice_label_each_photo_once(dataset, add_photo, start):
    import threading

    from django.db import connection

    for seed in range(4):
        add_photo(seed)
    start()
    calls = 2 * list(AutolabelJob.objects.values_list("id", flat=True))
    lock = threading.Lock()

    def worker():
        try:
            while True:
                with lock:
                    if not calls:
                        return
                    job = calls.pop()
                autolabel_job_run(job_id=job)
        finally:
            connection.close()

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert AutolabelRun.objects.get().state == RunState.DONE
    for job in AutolabelJob.objects.all():
        assert (job.state, job.mask_count) == (JobState.DONE, Mask.objects.filter(image=job.image_id).count())
