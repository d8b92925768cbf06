"""Training of the detector that proposes boxes: with each retraining, on the masks so far, in the same worker."""

import hashlib
import logging
import os
import shutil
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.annotation.models import HUMAN_ORIGINS, Mask, MaskState
from backend.annotation.selectors import complete_images
from backend.autolabel.models import Detector
from backend.autolabel.selectors import detector_of
from backend.checkpoints.selectors import live_checkpoint
from backend.checkpoints.services import deployment_ensure
from backend.common.events import event_record
from backend.common.storage import get_storage
from backend.common.stream import publish
from backend.datasets.models import Dataset, Image, Split
from backend.releases.models import FrozenSet
from backend.releases.selectors import complete_in, photos_with_masks
from backend.releases.services import frozen_set_make
from backend.training.child import ChildStopped, run_engine
from backend.training.errors import NothingToTrainOn, TrainingRunUnfinished
from backend.training.manifest import write_manifest
from backend.training.models import DetectorRun, DetectorRunState
from backend.training.selectors import masks_to_learn
from engine import api as engine

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
HEARTBEAT_STALE_AFTER = timedelta(seconds=60)
#: Complete test photos calibrate where there are so many; else some of the training photos do.
LEAST_TO_CALIBRATE = 4
_UNFINISHED = (DetectorRunState.WAITING, DetectorRunState.TRAINING)


def detector_is_there(dataset: Dataset) -> bool:
    checkpoint = live_checkpoint(dataset.id)
    return checkpoint is not None and detector_of(dataset, checkpoint) is not None


@transaction.atomic
def detector_run_request(
    *, dataset: Dataset, frozen_set: FrozenSet | None, by: User | None, steps: int | None = None
) -> DetectorRun:
    """Have a detector trained for the live checkpoint's embeddings.

    Args:
        frozen_set: what to learn from; None: all masks that count now.
        steps: None: the engine's usual number.
    Raises:
        NothingToTrainOn: there are no masks.
        TrainingRunUnfinished: one at a time per dataset.
    """
    from backend.training.tasks import work_on_detector_run

    masks = masks_to_learn(dataset)
    if frozen_set is None and not masks.exists():
        raise NothingToTrainOn("There are no masks on training photos yet; label some first.")
    try:
        with transaction.atomic():
            run = DetectorRun.objects.create(
                dataset=dataset,
                frozen_set=frozen_set or frozen_set_make(dataset=dataset, purpose="training", masks=masks),
                checkpoint=deployment_ensure(dataset=dataset),
                requested_by=by,
                steps=steps,
            )
    except IntegrityError:
        raise TrainingRunUnfinished("A detector is being trained already.") from None
    event_record("detector_run.requested", subject=run.id, dataset=dataset.id, by=by)
    work_on_detector_run.delay_on_commit(str(run.id))
    return run


def detector_run_work(*, run_id: UUID | str) -> None:
    """Train one, or begin again where a worker died: it takes minutes. Whoever does not get the claim leaves."""
    worker = f"{socket.gethostname()}:{os.getpid()}:{time.monotonic_ns()}"
    claimed = (
        DetectorRun.objects.filter(id=run_id, state__in=_UNFINISHED)
        .filter(Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=Now() - HEARTBEAT_STALE_AFTER))
        .update(worker=worker, heartbeat_at=Now(), attempts=F("attempts") + 1, state=DetectorRunState.TRAINING)
    )
    if not claimed:
        return
    run = DetectorRun.objects.select_related("dataset", "checkpoint", "frozen_set").get(id=run_id)
    folder = settings.WORK_FOLDER / "detectors" / str(run.id)
    if run.attempts > MAX_ATTEMPTS:
        _fail(run, worker, f"The worker died {MAX_ATTEMPTS} times in this run.")
    else:
        try:
            _work(run, worker, folder)
        except ChildStopped:
            pass  # another worker has taken over
        except Exception as error:  # whatever it is: a run that raises would be tried until its attempts are used up
            logger.exception("detector run %s", run.id)
            _fail(run, worker, str(error))
    shutil.rmtree(folder, ignore_errors=True)


def _work(run: DetectorRun, worker: str, folder: Path) -> None:
    mine = DetectorRun.objects.filter(id=run.id, worker=worker, state__in=_UNFINISHED)

    def wanted() -> bool:
        return bool(mine.update(heartbeat_at=Now()))

    def tell(line: dict[str, Any]) -> None:
        if "step" in line:
            mine.update(progress={"step": line["step"], "steps": line["steps"]}, heartbeat_at=Now())
            publish("detector_run.changed", subject=run.id, dataset=run.dataset_id)

    def beating(photos: Iterator[tuple[Image, list[Mask]]]) -> Iterator[tuple[Image, list[Mask]]]:
        for photo in photos:
            if not wanted():
                raise ChildStopped
            yield photo

    learn, out = folder / "learn", folder / "detector.safetensors"
    encoder_hash = run.checkpoint.encoder_hash
    photos = photos_with_masks(run.frozen_set)
    write_manifest(learn, beating(photos), encoder_hash=encoder_hash, complete=complete_in(run.frozen_set))
    data, arguments = [str(learn)], [] if run.steps is None else ["--steps", str(run.steps)]
    tests = _complete_test_photos(run.dataset)
    if len(tests) >= LEAST_TO_CALIBRATE:
        write_manifest(
            folder / "test", beating(iter(tests)), encoder_hash=encoder_hash, complete={i.id for i, _ in tests}
        )
        (folder / "calibrate.txt").write_text("\n".join(str(image.id) for image, _ in tests))
        data.append(str(folder / "test"))
        arguments += ["--calibrate", str(folder / "calibrate.txt")]
    with get_storage().local(run.checkpoint.storage_key) as weights:
        run_engine(
            [
                "detector",
                "train",
                "--data",
                *data,
                "--checkpoint",
                str(weights),
                "--out",
                str(out),
                "--json",
                *arguments,
            ],
            tell=tell,
            wanted=wanted,
        )
    info, thresholds = engine.describe_detector(out), engine.precision_thresholds(out)
    with open(out, "rb") as content:
        key = f"detectors/{hashlib.file_digest(content, 'sha256').hexdigest()}.safetensors"
    get_storage().put(key, out)
    with transaction.atomic():
        # First the claim: a second worker must not finish twice.
        if not mine.update(state=DetectorRunState.DONE, finished_at=Now()):
            raise ChildStopped
        detector, _ = Detector.objects.get_or_create(
            dataset=run.dataset,
            detector_hash=info.detector_hash,
            defaults={
                "encoder_hash": info.encoder_hash,
                "storage_key": key,
                "training": info.training,
                "thresholds": [
                    {
                        "confidence": step.confidence,
                        "precision": step.precision,
                        "lower_bound": step.lower_bound,
                        "boxes": step.boxes,
                    }
                    for step in thresholds
                ],
            },
        )
        mine_now = DetectorRun.objects.filter(id=run.id)
        mine_now.update(detector=detector)
        event_record("detector.ready", subject=detector.id, dataset=run.dataset_id, run=str(run.id))


def _complete_test_photos(dataset: Dataset) -> list[tuple[Image, list[Mask]]]:
    """With the masks that are by people. The gate's figures do not touch the detector, so these photos stay a test."""
    photos = complete_images(dataset).filter(split=Split.TEST)
    human = Mask.objects.filter(state=MaskState.ACTIVE, origin__in=HUMAN_ORIGINS).order_by("id")
    return [(photo, list(human.filter(image=photo))) for photo in photos.order_by("created_at", "id")]


@transaction.atomic
def _fail(run: DetectorRun, worker: str, error: str) -> None:
    """Only the worker that has the claim may say so."""
    own = DetectorRun.objects.filter(id=run.id, worker=worker, state__in=_UNFINISHED)
    if own.update(state=DetectorRunState.FAILED, error=error, finished_at=Now()):
        event_record("detector_run.failed", subject=run.id, dataset=run.dataset_id, error=error)


def detector_runs_sweep() -> None:
    """Send for a worker where none came, or where it died."""
    from backend.training.tasks import work_on_detector_run

    waiting = DetectorRun.objects.filter(state__in=_UNFINISHED)
    nobody = waiting.filter(heartbeat_at__isnull=True, created_at__lt=Now() - HEARTBEAT_STALE_AFTER)
    dead = waiting.filter(heartbeat_at__lt=Now() - HEARTBEAT_STALE_AFTER)
    for run_id in (nobody | dead).values_list("id", flat=True):
        work_on_detector_run.delay(str(run_id))
