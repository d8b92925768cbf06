"""Real Celery workers, killed as machines do it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from backend.annotation.models import Mask
from backend.autolabel.models import AutolabelJob, AutolabelRun, RunState
from backend.common.models import Event
from backend.datasets.models import Split
from backend.launch.places import ROOT
from backend.training.claims import HEARTBEAT_STALE_AFTER
from backend.training.models import RunState as TrainingState
from backend.training.models import TrainingRun
from backend.training.services import training_run_request, training_runs_sweep
from tests.backend.conftest import *  # noqa: F403 -- people, a dataset, photos
from tests.system.client import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker() -> Iterator:
    """Start workers for a queue; all are gone in the end."""
    started: list[subprocess.Popen] = []
    database = connection.settings_dict
    url = f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}"

    def start(queue: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "celery", "--quiet", "-A", "backend.config", "worker", "--pool=solo"]
        process = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle", "-Q", queue, "-n", f"{queue}{len(started)}@tests"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url, "STORAGE_URL": settings.STORAGE_URL, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@pytest.mark.soak  # minutes; what the next worker does is proved by tests/backend/training
def test_a_worker_killed_in_the_middle_of_training_is_replaced_and_the_run_goes_on(
    dataset, admin, annotator, add_photo, label, worker
):
    add_photo(1, split=Split.TEST), add_photo(2)
    label(annotator), label(annotator)
    first = worker("training")
    run = training_run_request(dataset=dataset, by=admin, recipe="decoder")

    def trained_some() -> TrainingRun | None:
        run.refresh_from_db()
        assert run.state not in (TrainingState.FAILED, TrainingState.DONE), run.error
        return run if run.progress.get("step", 0) >= 40 else None

    wait_until("40 steps", trained_some)
    first.kill()
    first.wait(10)
    time.sleep(3)  # its child saves its state, and goes
    run.refresh_from_db()
    seen = len(run.history)
    # A minute without a heartbeat passes.
    TrainingRun.objects.filter(id=run.id).update(heartbeat_at=Now() - 2 * HEARTBEAT_STALE_AFTER)
    training_runs_sweep()
    worker("training")

    def done() -> TrainingRun | None:
        run.refresh_from_db()
        return run if run.state in (TrainingState.DONE, TrainingState.FAILED) else None

    wait_until("the end of the run", done, 200)
    assert (run.state, run.error) == (TrainingState.DONE, "")
    assert Event.objects.filter(kind="training_run.taken_over", subject_id=run.id).exists()
    resumed_at = run.history[seen]["step"]
    assert resumed_at > 20, "the run began from nothing again"
    assert run.history[-1]["step"] == 150


def test_two_workers_share_a_run_and_a_killed_one_loses_nothing(dataset, admin, add_photo, as_user, worker, live):
    for seed in range(8):
        add_photo(seed)
    first, _ = worker("batch"), worker("batch")
    easy = {"min_predicted_iou": 0.0, "min_stability": 0.0, "points_per_side": 8, "min_region_px": 0}
    reply = as_user(admin).post(f"/api/datasets/{dataset.id}/autolabel-runs/", {"settings": easy}, format="json")
    assert reply.status_code == 201
    wait_until("the first photo", lambda: AutolabelJob.objects.filter(state="done").first(), 60)
    first.kill()
    # What it had in its hands is asked for again, as after a minute of silence; a delivery too many does no harm.
    from backend.autolabel.tasks import label_image

    AutolabelJob.objects.exclude(state="done").update(heartbeat_at=None)
    for job in AutolabelJob.objects.exclude(state="done"):
        label_image.delay(str(job.id))
    wait_until("the end of the run", lambda: AutolabelRun.objects.filter(state=RunState.DONE).first(), 120)
    assert AutolabelJob.objects.filter(state="done").count() == 8
    for job in AutolabelJob.objects.all():
        assert Mask.objects.filter(image=job.image_id).count() == job.mask_count
