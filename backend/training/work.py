"""A training worker's go at a run: train in a child process, evaluate, and let the gate decide."""

import hashlib
import json
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from backend.annotation.models import HUMAN_ORIGINS
from backend.checkpoints.models import BY_THE_GATE, Checkpoint
from backend.checkpoints.selectors import live_checkpoint
from backend.checkpoints.services import checkpoint_register, decoder_export, deployment_make
from backend.common.events import event_record
from backend.common.storage import get_storage
from backend.common.stream import publish
from backend.datasets.models import Dataset, Split
from backend.releases.models import FrozenSet
from backend.releases.selectors import complete_in, images_in, masks_in, photos_with_masks
from backend.training.child import ChildFailed, ChildStopped, run_engine
from backend.training.claims import Claim
from backend.training.gate import GateRule, Verdict, compare, decide, groups_in
from backend.training.manifest import write_manifest
from backend.training.models import Decision, Evaluation, RunState, TrainingRun
from backend.training.selectors import finished_photos, gate_rule_of
from engine import api as engine
from engine.errors import BEGIN_AGAIN

TELL_EVERY_SECONDS = 1.0
LOG_EVERY_SECONDS = 5.0
MAX_HISTORY = 400
CANDIDATE = "candidate.safetensors"  # in the run's folder
MAX_NAME = 100  # letters of the dataset's name in the checkpoint's
EVALUATED_CLICKS = 9  # the gate's figures end at 5; clicks to 90% need some more, and who needs more yet counts as this
VALIDATE_EVERY_STEPS = 25
OVERTAKEN = "But another model was made live meanwhile; it stays until you say otherwise."
EXAMPLES = 4  # photos with an object each, shown while it trains
KEPT_BACK_SHARE, KEPT_BACK_MOST = 0.1, 16  # of the training photos; too few for a tenth: none


class Work:
    """One worker's go at a run."""

    def __init__(self, claim: Claim[TrainingRun], folder: Path) -> None:
        self.claim, self.run, self.folder = claim, claim.run, folder
        self.out = folder / CANDIDATE
        self.told_at = self.logged_at = 0.0
        self.reached = self.run.progress.get("step", 0)
        self.history: list[dict[str, Any]] = list(self.run.history)
        self.validation: list[dict[str, Any]] = list(self.run.validation)
        self.drawn_by: Counter[UUID | None] = Counter()  # see `PhotosByPeople`; of the test

    def do_or_keep_the_best(self) -> None:
        try:
            self.do()
        except ChildStopped:  # cancelled, or another worker has taken over
            keep_the_best_so_far(self.run, self.folder)

    def do(self) -> None:
        self._state(RunState.TRAINING)
        candidate = self._train()
        self._state(RunState.EVALUATING)
        reports = {split: self._evaluate(split, candidate) for split in (Split.TEST, Split.HOLDOUT)}
        self._decide(candidate, reports)

    def _state(self, state: RunState) -> None:
        if not self.claim.held().update(state=state, heartbeat_at=Now()):
            raise ChildStopped
        publish("training_run.changed", subject=self.run.id, dataset=self.run.dataset_id)

    def _train(self) -> Checkpoint:
        run, finished = self.run, self.folder / "trained"
        # Asked for by each worker that takes the run: who evaluates may be another one than trained.
        found = run.hardware = engine.hardware()
        self.claim.held().update(hardware=found)
        self.claim.say(f"Found {found['name']}: {found['gpus']} GPUs, {found['cores']} cores.")
        if run.candidate is not None:
            return run.candidate  # trained before, maybe on other hardware: there it would become another one
        if not finished.exists():
            learnt, shown = self._manifests()
            with get_storage().local(run.base.storage_key) as weights:
                arguments = ["train", run.recipe, "--data", str(learnt), "--init", str(weights), "--out", str(self.out)]
                arguments += ["--seed", str(run.seed), "--device", found["device"], "--json"]
                if shown is not None:
                    arguments += ["--validate", str(shown), "--validate-every", str(VALIDATE_EVERY_STEPS)]
                    arguments += ["--examples", str(EXAMPLES)]
                try:
                    self._run_training(arguments)
                except ChildFailed as refused:
                    if not str(refused).endswith(BEGIN_AGAIN):
                        raise
                    self._begin_anew(str(refused).removesuffix(f"; {BEGIN_AGAIN}"))
                    self._run_training(arguments)
            finished.touch()
        candidate = _register(run, self.out)
        self.claim.held().update(candidate=candidate)
        return candidate

    def _run_training(self, arguments: list[str]) -> None:
        run_engine(
            arguments,
            processes=self.run.hardware["gpus"],
            tell=self._tell,
            wanted=self.claim.beat,
            said=self.claim.say,
        )

    def _begin_anew(self, why: str) -> None:
        """An upgrade may lie between two workers of a run: what the first one left is none that the second one's engine goes on
        from. The run is what was asked for all the same, and there is nobody here to remove a file."""
        self.claim.say(f"{why}: the run begins anew, from its first step.")
        with transaction.atomic():
            if not self.claim.held().update(progress={}, history=[], validation=[], examples=[]):
                raise ChildStopped
            event_record("training_run.begun_anew", subject=self.run.id, dataset=self.run.dataset_id, reason=why)
        self.reached, self.history, self.validation = 0, [], []
        for left in self.folder.glob(f"{CANDIDATE}*"):  # the best weights so far, too: they belong to the state
            left.unlink()

    def _manifests(self) -> tuple[Path, Path | None]:
        """What is learnt from, and the few training photos that are kept back to watch it by; None: there are too few."""
        learnt, shown = self.folder / "train", self.folder / "validation"
        encoder_hash = None if engine.learns_encoder(self.run.recipe) else self.run.base.encoder_hash
        photos = photos_with_masks(self.run.frozen_set)
        kept_back = kept_back_from(self.run.frozen_set)
        write_manifest(
            learnt,
            self.claim.beating(photo for photo in photos if photo[0].id not in kept_back),
            encoder_hash=encoder_hash,
            complete=complete_in(self.run.frozen_set),
        )
        if not kept_back:
            return learnt, None
        by_people = (
            (image, [mask for mask in masks if mask.origin in HUMAN_ORIGINS])
            for image, masks in photos_with_masks(self.run.frozen_set, kept_back)
        )
        write_manifest(shown, self.claim.beating(by_people), encoder_hash=encoder_hash)
        return learnt, shown

    def _tell(self, line: dict[str, Any]) -> None:
        if "miou" in line:
            self._tell_validation(line)
        if "loss" not in line:
            return
        # A worker that goes on after another's death tells some steps again.
        self.history = [told for told in self.history if told["step"] < line["step"]]
        self.history.append({"step": line["step"], "loss": round(line["loss"], 4)})
        if len(self.history) > MAX_HISTORY:
            self.history = self.history[::2]
        if time.monotonic() - self.told_at < TELL_EVERY_SECONDS and line["step"] != line["steps"]:
            return
        self.told_at = time.monotonic()
        if self.told_at - self.logged_at >= LOG_EVERY_SECONDS or line["step"] == line["steps"]:
            self.logged_at = self.told_at
            self.claim.say(f"Step {line['step']} of {line['steps']}: loss {line['loss']:.4f}.")
        progress = {key: line[key] for key in ("step", "steps", "loss", "seconds_left")}
        # A worker that died further on than the one before it has not died of this run.
        counted = {"attempts": 1, "error": ""} if line["step"] > self.reached else {}
        self.claim.tell(progress=progress, history=self.history, **counted)
        publish("training_run.changed", subject=self.run.id, dataset=self.run.dataset_id)

    def _tell_validation(self, line: dict[str, Any]) -> None:
        miou = {clicks: round(value, 4) for clicks, value in line["miou"].items()}
        self.validation = [told for told in self.validation if told["step"] < line["step"]]
        self.validation.append({"step": line["step"], "miou": miou, "best": line["best"]})
        figures = ", ".join(f"{value:.3f} after {clicks}" for clicks, value in miou.items())
        best = ", the best so far" if line["best"] else ""
        self.claim.say(f"Validation at step {line['step']}: mIoU {figures} clicks{best}.")
        self.claim.tell(validation=self.validation, examples=line.get("examples", []))
        publish("training_run.changed", subject=self.run.id, dataset=self.run.dataset_id)

    def _evaluate(self, split: Split, candidate: Checkpoint) -> dict[str, Any] | None:
        """Reports of the live and the candidate checkpoint, or None where a split has no human mask."""
        photos = finished_photos(self.run.dataset, split, only_brushed=gate_rule_of(self.run.dataset).only_brushed)
        if split == Split.TEST:
            self.drawn_by = photos.drawn_by
        if not len(photos):
            return None
        reports = {}
        for role, checkpoint in (("live", self.run.base), ("candidate", candidate)):
            data = self.folder / f"{split}-{checkpoint.encoder_hash[:16]}"
            write_manifest(data, self.claim.beating(photos), encoder_hash=checkpoint.encoder_hash)
            asked = _asked(checkpoint, data)
            reports[role] = self._known_report(checkpoint, split, asked) or self._report(checkpoint, data)
            figures = ", ".join(f"{value:.3f} after {clicks}" for clicks, value in reports[role]["miou"].items())
            self.claim.say(f"The {role} model on {len(photos)} {split} photos: mIoU {figures} clicks.")
            _remember_scores(checkpoint, self.run.dataset, split, reports[role], photos.digests(), asked)
        return reports

    def _known_report(self, checkpoint: Checkpoint, split: Split, asked: str) -> dict[str, Any] | None:
        """Made once for the same weights and the same masks: what is live now was the candidate of an earlier run."""
        known = Evaluation.objects.filter(dataset=self.run.dataset, checkpoint=checkpoint, split=split, asked=asked)
        kept = known.first()
        if kept is None:
            return None
        figures = {
            photo: {name: value for name, value in of_photo.items() if name != "masks"}
            for photo, of_photo in kept.photos.items()
        }
        return {**kept.report, "per_image": figures}

    def _report(self, checkpoint: Checkpoint, data: Path) -> dict[str, Any]:
        out = data / "report.json"
        with get_storage().local(checkpoint.storage_key) as weights:
            arguments = ["evaluate", "clicks", "--data", str(data), "--checkpoint", str(weights), "--json", str(out)]
            arguments += ["--device", self.run.hardware["device"], "--clicks", str(EVALUATED_CLICKS)]
            run_engine(arguments, tell=self._tell, wanted=self.claim.beat, said=self.claim.say)
        report: dict[str, Any] = json.loads(out.read_text())
        return report

    def _decide(self, candidate: Checkpoint, reports: dict[Split, dict[str, Any] | None]) -> None:
        run, dataset = self.run, self.run.dataset
        rule = gate_rule_of(dataset)
        test, holdout = reports[Split.TEST], reports[Split.HOLDOUT]
        nothing = {"images": 0, "objects": 0, "per_image": {}}
        verdict = decide(test["live"], test["candidate"], rule) if test else decide(nothing, nothing, rule)
        with transaction.atomic():
            Dataset.objects.select_for_update().get(id=dataset.id)
            live = live_checkpoint(dataset.id)
            # What it was compared with serves no more: somebody has decided otherwise meanwhile, and that stands.
            overtaken = live is not None and live.id != run.base_id
            if overtaken and verdict.decision == Decision.PROMOTED:
                reason = f"{verdict.reason} {OVERTAKEN}"
                verdict = replace(verdict, decision=str(Decision.INSUFFICIENT_EVIDENCE), reason=reason)
            told = _as_json(verdict, rule, test, holdout)
            by_model, by_live = self.drawn_by.total(), self.drawn_by[run.base_id]
            told["evidence"] |= {"masks_by_model": by_model, "masks_by_live": by_live}
            if by_model:
                self.claim.say(
                    f"Of {told['evidence']['masks']} test masks {by_model} are a model's pixels that people took as they "
                    f"were, {by_live} of them the live model's, which is favoured by these."
                )
            self.claim.say(f"The gate: {verdict.decision.replace('_', ' ')}. {verdict.reason}")
            # First the claim: a second worker must not promote twice.
            mine = self.claim.held().update(
                state=RunState.DONE,
                decision=verdict.decision,
                verdict=told,
                finished_at=Now(),
                candidate=candidate,
                error="",
                **self.claim.unsaid(),
            )
            if not mine:
                raise ChildStopped
            if verdict.decision == Decision.PROMOTED:
                deployment_make(dataset=dataset, checkpoint=candidate, reason=BY_THE_GATE, by=run.requested_by)
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
            "groups": groups_in(test["live"]) if test else 0,
            "groups_wanted": rule.evidence.groups,
            "images_wanted": rule.evidence.photos,
            "masks_wanted": rule.evidence.masks,
        },
        "rule": asdict(rule),
        "holdout": [f.as_dict() for f in compare(holdout["live"], holdout["candidate"])] if holdout else [],
    }


def _register(run: TrainingRun, file: Path) -> Checkpoint:
    number = TrainingRun.objects.filter(dataset=run.dataset, created_at__lte=run.created_at).count()
    # The same masks again make the same file: the same checkpoint.
    candidate = checkpoint_register(
        file=file,
        name=f"{run.dataset.name[:MAX_NAME]} {number}",
        dataset=run.dataset,
        parent=run.base,
        by=run.requested_by,
    )
    decoder_export(checkpoint_id=candidate.id)
    return candidate


def keep_the_best_so_far(run: TrainingRun, folder: Path) -> None:
    """Of a cancelled run: the weights that did best on the photos kept back. The gate never sees them; an admin may."""
    cancelled = TrainingRun.objects.filter(id=run.id, state=RunState.CANCELLED, candidate__isnull=True)
    if (folder / CANDIDATE).is_file() and cancelled.exists():
        cancelled.update(candidate=_register(run, folder / CANDIDATE))
        publish("training_run.changed", subject=run.id, dataset=run.dataset_id)


def _asked(checkpoint: Checkpoint, data: Path) -> str:
    """What is measured, and how, in one hash."""
    asked = hashlib.sha256((data / "manifest.jsonl").read_bytes())
    asked.update(f"{checkpoint.file_hash} {EVALUATED_CLICKS} {engine.CLICKS_EVALUATION}".encode())
    return asked.hexdigest()


@transaction.atomic
def _remember_scores(
    checkpoint: Checkpoint, dataset: Dataset, split: Split, report: dict[str, Any], digests: dict[str, str], asked: str
) -> None:
    """
    Args:
        digests: of each photo's masks.
        asked: see `_asked`.
    """
    row = Checkpoint.objects.select_for_update().get(id=checkpoint.id)
    kept = {
        key: report[key]
        for key in ("images", "objects", "max_clicks", "miou", "oracle", "noc90", "intervals", "by_size")
    }
    kept["intervals"] = {name: interval for name, interval in kept["intervals"].items() if interval is not None}
    row.scores.setdefault(str(dataset.id), {})[str(split)] = kept
    row.save(update_fields=["scores"])
    photos = {name: {**figures, "masks": digests[name]} for name, figures in report["per_image"].items()}
    rest = {name: value for name, value in report.items() if name != "per_image"}
    found = {"photos": photos, "report": rest, "asked": asked, "measured_at": Now()}
    Evaluation.objects.update_or_create(dataset=dataset, checkpoint=row, split=split, defaults=found)


def kept_back_from(frozen_set: FrozenSet) -> set[UUID]:
    """Training photos that a run does not learn from, to be watched by while it runs: the same ones in every run.

    Whole groups, so that no photo is judged by its near-duplicates. Test and holdout photos have no part in this.
    """
    by_people = masks_in(frozen_set).filter(origin__in=HUMAN_ORIGINS)
    photos = list(images_in(frozen_set).filter(id__in=by_people.values("image_id")).values_list("id", "group"))
    wanted = min(KEPT_BACK_MOST, int(KEPT_BACK_SHARE * len(photos)))
    sizes = Counter(group for _, group in photos)
    groups: set[str] = set()
    for group in sorted(sizes, key=lambda name: hashlib.sha256(name.encode()).digest()):
        if sum(sizes[name] for name in groups) + sizes[group] <= wanted:
            groups.add(group)
    return {photo for photo, group in photos if group in groups}
