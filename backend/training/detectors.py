"""Training of the detector that proposes boxes: with each retraining, on the masks so far, in the same worker."""

import contextlib
import hashlib
import shutil
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.autolabel.models import Detector
from backend.autolabel.selectors import detector_of
from backend.checkpoints.selectors import live_checkpoint
from backend.checkpoints.services import deployment_ensure
from backend.common.events import event_record
from backend.common.keeping import keep_bytes
from backend.common.storage import get_storage
from backend.common.stream import publish
from backend.datasets.models import Dataset
from backend.releases.models import FrozenSet
from backend.releases.selectors import complete_in, photos_with_masks
from backend.releases.services import frozen_set_make
from backend.training.child import ChildStopped, run_engine
from backend.training.claims import DETECTORS, Claim, claim_take, claim_work, folders_sweep, log_with, runs_call_again
from backend.training.errors import NothingToTrainOn, TrainingRunUnfinished
from backend.training.manifest import write_manifest
from backend.training.models import UNFINISHED_DETECTORS, DetectorRun, DetectorRunState
from backend.training.selectors import complete_test_photos, masks_to_learn
from engine import api as engine

#: Complete test photos calibrate where there are so many; else some of the training photos do.
LEAST_TO_CALIBRATE = 4


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
        steps: None: what the server's settings say, or the engine's usual number.
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
                steps=steps or settings.DETECTOR_STEPS or None,
            )
    except IntegrityError:
        raise TrainingRunUnfinished("A detector is being trained already.") from None
    event_record("detector_run.requested", subject=run.id, dataset=dataset.id, by=by)
    work_on_detector_run.delay_on_commit(str(run.id))
    return run


@transaction.atomic
def detector_run_cancel(*, run: DetectorRun, by: User) -> None:
    """The worker notices within seconds; the detector that proposes now goes on."""
    if DetectorRun.objects.filter(id=run.id, state__in=UNFINISHED_DETECTORS).update(
        state=DetectorRunState.CANCELLED, finished_at=Now(), error="", log=log_with(f"Cancelled by {by.username}.")
    ):
        event_record("detector_run.cancelled", subject=run.id, dataset=run.dataset_id, by=by)


def detector_run_work(*, run_id: UUID | str) -> None:
    """Train one, or begin again where a worker died: it takes minutes. Whoever does not get the claim leaves."""
    folders_sweep(DETECTORS)
    claim = claim_take(DETECTORS, run_id)
    if claim is None:
        return
    # The claim's own: a worker that lost the run clears up after itself, and not what the next one works with.
    folder = DETECTORS.folder_of(claim.run.id) / str(claim.run.attempts)
    claim.held().update(state=DetectorRunState.TRAINING)
    publish("detector_run.changed", subject=claim.run.id, dataset=claim.run.dataset_id)
    claim_work(claim, lambda: _work(claim, folder))
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # of others, who are at work there
        folder.parent.rmdir()


def _work(claim: Claim[DetectorRun], folder: Path) -> None:
    try:
        _train(claim, folder)
    except ChildStopped:
        pass  # another worker has taken over


def _train(claim: Claim[DetectorRun], folder: Path) -> None:
    run = claim.run

    def tell(line: dict[str, Any]) -> None:
        if "step" in line:
            claim.say(f"Step {line['step']} of {line['steps']}: loss {line['loss']:.4f}.")
            # Over whatever stopped the worker before.
            claim.tell(progress={"step": line["step"], "steps": line["steps"]}, error="")
            publish("detector_run.changed", subject=run.id, dataset=run.dataset_id)

    learn, out = folder / "learn", folder / "detector.safetensors"
    encoder_hash = run.checkpoint.encoder_hash
    photos = photos_with_masks(run.frozen_set)
    write_manifest(learn, claim.beating(photos), encoder_hash=encoder_hash, complete=complete_in(run.frozen_set))
    data, arguments = [str(learn)], [] if run.steps is None else ["--steps", str(run.steps)]
    tests = complete_test_photos(run.dataset)
    if len(tests) >= LEAST_TO_CALIBRATE:
        write_manifest(folder / "test", claim.beating(tests), encoder_hash=encoder_hash, complete=set(tests.ids))
        (folder / "calibrate.txt").write_text("\n".join(map(str, tests.ids)))
        data.append(str(folder / "test"))
        arguments += ["--calibrate", str(folder / "calibrate.txt")]
    device = engine.hardware()["device"]
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
                "--device",
                device,
                "--json",
                *arguments,
            ],
            tell=tell,
            wanted=claim.beat,
            said=claim.say,
        )
    info, thresholds = engine.describe_detector(out), engine.proposal_thresholds(out)
    with open(out, "rb") as content:
        key = f"detectors/{hashlib.file_digest(content, 'sha256').hexdigest()}.safetensors"
    get_storage().put(key, out)
    claim.say(f"Calibrated: {len(thresholds)} thresholds with a known precision.")
    claim.beat()
    with transaction.atomic():
        # First the claim: a second worker must not finish twice.
        if not claim.held().update(state=DetectorRunState.DONE, finished_at=Now(), error=""):
            raise ChildStopped
        keep_bytes({key: out})
        detector, _ = Detector.objects.get_or_create(
            dataset=run.dataset,
            detector_hash=info.detector_hash,
            defaults={
                "encoder_hash": info.encoder_hash,
                "decoder_hash": info.decoder_hash,
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
        DetectorRun.objects.filter(id=run.id).update(detector=detector)
        event_record("detector.ready", subject=detector.id, dataset=run.dataset_id, run=str(run.id))


def detector_runs_sweep() -> None:
    """Send for a worker where none came, or where it died; clear up after those that died in a run that is over."""
    from backend.training.tasks import work_on_detector_run

    runs_call_again(DETECTORS, work_on_detector_run)
    folders_sweep(DETECTORS)
