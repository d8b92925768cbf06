"""Training runs from the button to the gate."""

import json
import logging
import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
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
from backend.checkpoints.models import Checkpoint
from backend.checkpoints.selectors import live_checkpoint
from backend.checkpoints.services import checkpoint_register, decoder_export, deployment_ensure, deployment_make
from backend.common.errors import DomainError
from backend.common.events import event_record
from backend.common.storage import get_storage
from backend.common.stream import publish
from backend.datasets.models import Dataset, Image, Split
from backend.releases.selectors import complete_in, photos_with_masks
from backend.releases.services import frozen_set_make
from backend.training.child import ChildStopped, run_engine
from backend.training.errors import NothingToTrainOn, RecipeUnknown, TrainingRunUnfinished
from backend.training.gate import GateRule, Verdict, compare, decide
from backend.training.manifest import write_manifest
from backend.training.models import UNFINISHED, Decision, RetrainPolicy, RunState, TrainingRun
from backend.training.selectors import crontab_of, masks_to_learn, policy_due, policy_of
from engine import api as engine

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
HEARTBEAT_STALE_AFTER = timedelta(seconds=60)
TELL_EVERY_SECONDS = 1.0
MAX_HISTORY = 400
MAX_NAME = 100  # letters of the dataset's name in the checkpoint's
EVALUATED_CLICKS = 9  # the gate's figures end at 5; clicks to 90% need some more


@transaction.atomic
def training_run_request(*, dataset: Dataset, by: User | None, recipe: str | None = None, seed: int = 0) -> TrainingRun:
    """Freeze what there is to learn from, and have it learnt.

    Args:
        recipe: None: the one that the dataset's policy names.
    Raises:
        RecipeUnknown, NothingToTrainOn; TrainingRunUnfinished: one at a time per dataset.
    """
    from backend.training.tasks import work_on_training_run

    if recipe is None:
        recipe = policy_of(dataset).recipe
    if recipe not in engine.recipes():
        raise RecipeUnknown(f"There is no recipe {recipe}; there are {', '.join(engine.recipes())}.")
    masks = masks_to_learn(dataset)
    if not masks.exists():
        raise NothingToTrainOn("There are no masks on training photos yet; label some first.")
    try:
        with transaction.atomic():
            run = TrainingRun.objects.create(
                dataset=dataset,
                frozen_set=frozen_set_make(dataset=dataset, purpose="training", masks=masks),
                base=deployment_ensure(dataset=dataset),
                recipe=recipe,
                seed=seed,
                requested_by=by,
            )
    except IntegrityError:
        raise TrainingRunUnfinished("A training run is on its way already.") from None
    event_record("training_run.requested", subject=run.id, dataset=dataset.id, by=by, recipe=recipe)
    work_on_training_run.delay_on_commit(str(run.id))
    run.refresh_from_db()
    return run


def training_run_cancel(*, run: TrainingRun, by: User) -> None:
    """The worker notices within seconds; what serves the dataset stays as it is."""
    with transaction.atomic():
        if TrainingRun.objects.filter(id=run.id, state__in=UNFINISHED).update(
            state=RunState.CANCELLED, finished_at=Now()
        ):
            event_record("training_run.cancelled", subject=run.id, dataset=run.dataset_id, by=by)


def training_run_work(*, run_id: UUID | str) -> None:
    """Do a run, or go on with one whose worker died. Whoever does not get the claim leaves."""
    worker = f"{socket.gethostname()}:{os.getpid()}:{time.monotonic_ns()}"
    claimed = (
        TrainingRun.objects.filter(id=run_id, state__in=UNFINISHED)
        .filter(Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=Now() - HEARTBEAT_STALE_AFTER))
        .update(worker=worker, heartbeat_at=Now(), attempts=F("attempts") + 1)
    )
    if not claimed:
        return
    run = TrainingRun.objects.select_related("dataset", "base", "frozen_set").get(id=run_id)
    folder = settings.WORK_FOLDER / "training" / str(run.id)
    if run.attempts > MAX_ATTEMPTS:
        _fail(run, worker, f"The worker died {MAX_ATTEMPTS} times in this run.")
    else:
        try:
            _Work(run, worker, folder).do()
        except ChildStopped:
            pass  # cancelled, or another worker has taken over
        except Exception as error:  # whatever it is: a run that raises would be tried until its attempts are used up
            logger.exception("training run %s", run.id)
            _fail(run, worker, str(error))
    if not TrainingRun.objects.filter(id=run.id, state__in=UNFINISHED).exists():
        shutil.rmtree(folder, ignore_errors=True)


class _Work:
    """One worker's go at a run."""

    def __init__(self, run: TrainingRun, worker: str, folder: Path) -> None:
        self.run, self.worker, self.folder = run, worker, folder
        self.told_at = 0.0
        self.history: list[dict[str, Any]] = list(run.history)

    def do(self) -> None:
        self._state(RunState.TRAINING)
        candidate = self._train()
        self._state(RunState.EVALUATING)
        reports = {split: self._evaluate(split, candidate) for split in (Split.TEST, Split.HOLDOUT)}
        self._decide(candidate, reports)

    def _mine(self) -> Any:
        return TrainingRun.objects.filter(id=self.run.id, worker=self.worker, state__in=UNFINISHED)

    def _state(self, state: RunState) -> None:
        if not self._mine().update(state=state, heartbeat_at=Now()):
            raise ChildStopped
        publish("training_run.changed", subject=self.run.id, dataset=self.run.dataset_id)

    def _wanted(self) -> bool:
        """A heartbeat, and whether the run is still ours."""
        return bool(self._mine().update(heartbeat_at=Now()))

    def _train(self) -> Checkpoint:
        run, data, out = self.run, self.folder / "train", self.folder / "candidate.safetensors"
        if not out.is_file() or (self.folder / "candidate.safetensors.state").exists():
            write_manifest(
                data,
                self._beating(photos_with_masks(run.frozen_set)),
                encoder_hash=run.base.encoder_hash,
                complete=complete_in(run.frozen_set),
            )
            with get_storage().local(run.base.storage_key) as weights:
                arguments = ["train", run.recipe, "--data", str(data), "--init", str(weights), "--out", str(out)]
                run_engine([*arguments, "--seed", str(run.seed), "--json"], tell=self._tell, wanted=self._wanted)
        number = TrainingRun.objects.filter(dataset=run.dataset, created_at__lte=run.created_at).count()
        candidate = checkpoint_register(
            file=out,
            name=f"{run.dataset.name[:MAX_NAME]} {number}",
            dataset=run.dataset,
            parent=run.base,
            by=run.requested_by,
        )
        decoder_export(checkpoint_id=candidate.id)
        self._mine().update(candidate=candidate)  # the same masks again make the same file: the same checkpoint
        return candidate

    def _beating(self, photos: Iterator[Any]) -> Iterator[Any]:
        for photo in photos:
            if not self._wanted():
                raise ChildStopped
            yield photo

    def _tell(self, line: dict[str, Any]) -> None:
        if "loss" not in line:
            return
        self.history.append({"step": line["step"], "loss": round(line["loss"], 4)})
        if len(self.history) > MAX_HISTORY:
            self.history = self.history[::2]
        if time.monotonic() - self.told_at < TELL_EVERY_SECONDS and line["step"] != line["steps"]:
            return
        self.told_at = time.monotonic()
        progress = {key: line[key] for key in ("step", "steps", "loss", "seconds_left")}
        self._mine().update(progress=progress, history=self.history, heartbeat_at=Now())
        publish("training_run.changed", subject=self.run.id, dataset=self.run.dataset_id)

    def _evaluate(self, split: Split, candidate: Checkpoint) -> dict[str, Any] | None:
        """Reports of the live and the candidate checkpoint, or None where a split has no human mask."""
        photos = _human_photos(self.run.dataset, split)
        if not photos:
            return None
        reports = {}
        for role, checkpoint in (("live", self.run.base), ("candidate", candidate)):
            data = self.folder / f"{split}-{checkpoint.encoder_hash[:16]}"
            write_manifest(data, self._beating(iter(photos)), encoder_hash=checkpoint.encoder_hash)
            out = self.folder / f"{split}-{role}.json"
            with get_storage().local(checkpoint.storage_key) as weights:
                arguments = [
                    "evaluate",
                    "clicks",
                    "--data",
                    str(data),
                    "--checkpoint",
                    str(weights),
                    "--json",
                    str(out),
                ]
                run_engine([*arguments, "--clicks", str(EVALUATED_CLICKS)], tell=self._tell, wanted=self._wanted)
            reports[role] = json.loads(out.read_text())
            _remember_scores(checkpoint, self.run.dataset, split, reports[role])
        return reports

    def _decide(self, candidate: Checkpoint, reports: dict[Split, dict[str, Any] | None]) -> None:
        run, dataset = self.run, self.run.dataset
        policy = RetrainPolicy.objects.filter(dataset=dataset).first()
        rule = GateRule(
            **{
                "images_wanted": dataset.test_images_wanted,
                "masks_wanted": dataset.test_masks_wanted,
                **(policy.gate if policy else {}),
            }
        )
        test, holdout = reports[Split.TEST], reports[Split.HOLDOUT]
        nothing = {"images": 0, "objects": 0, "per_image": {}}
        verdict = decide(test["live"], test["candidate"], rule) if test else decide(nothing, nothing, rule)
        with transaction.atomic():
            Dataset.objects.select_for_update().get(id=dataset.id)
            live = live_checkpoint(dataset.id)
            # What it was compared with serves no more: somebody has decided otherwise meanwhile, and that stands.
            overtaken = live is not None and live.id != run.base_id
            if overtaken and verdict.decision == Decision.PROMOTED:
                reason = (
                    f"{verdict.reason} But another model was made live meanwhile; it stays until you say otherwise."
                )
                verdict = replace(verdict, decision=str(Decision.INSUFFICIENT_EVIDENCE), reason=reason)
            told = _as_json(verdict, rule, test, holdout)
            # First the claim: a second worker must not promote twice.
            mine = self._mine().update(
                state=RunState.DONE, decision=verdict.decision, verdict=told, finished_at=Now(), candidate=candidate
            )
            if not mine:
                raise ChildStopped
            if verdict.decision == Decision.PROMOTED:
                deployment_make(
                    dataset=dataset, checkpoint=candidate, reason="promoted by the gate", by=run.requested_by
                )
            event_record(
                "training_run.finished",
                subject=run.id,
                dataset=dataset.id,
                decision=verdict.decision,
                reason=verdict.reason,
            )


def _as_json(
    verdict: Verdict, rule: GateRule, test: dict[str, Any] | None, holdout: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "reason": verdict.reason,
        "chance_better": verdict.chance_better,
        "figures": [figure.as_dict() for figure in verdict.figures],
        "evidence": {
            "images": test["live"]["images"] if test else 0,
            "masks": test["live"]["objects"] if test else 0,
            "images_wanted": rule.images_wanted,
            "masks_wanted": rule.masks_wanted,
        },
        "holdout": [f.as_dict() for f in compare(holdout["live"], holdout["candidate"])] if holdout else [],
    }


def _human_photos(dataset: Dataset, split: Split) -> list[tuple[Image, list[Mask]]]:
    """Photos that people finished, with the masks that are by people."""
    photos = Image.objects.filter(dataset=dataset, split=split, annotated_at__isnull=False).order_by("created_at", "id")
    human = Mask.objects.filter(state=MaskState.ACTIVE, origin__in=HUMAN_ORIGINS).order_by("id")
    found = [(photo, list(human.filter(image=photo))) for photo in photos]
    return [(photo, masks) for photo, masks in found if masks]


@transaction.atomic
def _remember_scores(checkpoint: Checkpoint, dataset: Dataset, split: Split, report: dict[str, Any]) -> None:
    row = Checkpoint.objects.select_for_update().get(id=checkpoint.id)
    kept = {key: report[key] for key in ("images", "objects", "miou", "oracle", "noc90")}
    row.scores.setdefault(str(dataset.id), {})[str(split)] = kept
    row.save(update_fields=["scores"])


@transaction.atomic
def _fail(run: TrainingRun, worker: str, error: str) -> None:
    """Only the worker that has the claim may say so."""
    own = TrainingRun.objects.filter(id=run.id, worker=worker, state__in=UNFINISHED)
    if own.update(state=RunState.FAILED, error=error, finished_at=Now()):
        event_record("training_run.failed", subject=run.id, dataset=run.dataset_id, error=error)


def training_runs_sweep() -> None:
    """Send for a worker where none came, or where it died."""
    from backend.training.tasks import work_on_training_run

    waiting = TrainingRun.objects.filter(state__in=UNFINISHED)
    nobody = waiting.filter(heartbeat_at__isnull=True, created_at__lt=Now() - HEARTBEAT_STALE_AFTER)
    dead = waiting.filter(heartbeat_at__lt=Now() - HEARTBEAT_STALE_AFTER)
    for run_id in (nobody | dead).values_list("id", flat=True):
        work_on_training_run.delay(str(run_id))


def policies_run() -> None:
    """Start the runs that are due. Two clocks at once start one: the database allows no second."""
    for policy in RetrainPolicy.objects.filter(enabled=True).select_related("dataset"):
        if policy_due(policy).now:
            try:
                training_run_request(dataset=policy.dataset, by=None, recipe=policy.recipe)
            except DomainError:
                continue


@transaction.atomic
def policy_set(*, dataset: Dataset, by: User, **fields: Any) -> RetrainPolicy:
    """
    Raises:
        PolicyInvalid, RecipeUnknown.
    """
    if fields.get("crontab"):
        crontab_of(fields["crontab"])
    if "recipe" in fields and fields["recipe"] not in engine.recipes():
        raise RecipeUnknown(f"There is no recipe {fields['recipe']}; there are {', '.join(engine.recipes())}.")
    policy, _ = RetrainPolicy.objects.update_or_create(dataset=dataset, defaults=fields)
    event_record("retrain_policy.set", subject=policy.id, dataset=dataset.id, by=by)
    policy.refresh_from_db()
    return policy
