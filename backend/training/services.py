"""Training runs from the button to the gate."""

import logging
import shutil
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.checkpoints.services import deployment_ensure
from backend.common.errors import DomainError
from backend.common.events import event_record
from backend.common.waking import DATABASE_AWAY
from backend.datasets.models import Dataset
from backend.releases.services import frozen_set_make
from backend.training.claims import TRAINING, claim_take, claim_work, folders_sweep, log_with, runs_call_again
from backend.training.errors import NothingToTrainOn, RecipeUnknown, TrainingRunUnfinished
from backend.training.gate import GateRule
from backend.training.models import UNFINISHED, RetrainPolicy, RunState, TrainingRun
from backend.training.selectors import PASSED_OVER, crontab_of, gate_rule_of, masks_to_learn, policy_due, policy_of
from backend.training.work import Work, keep_the_best_so_far
from engine import api as engine

logger = logging.getLogger(__name__)

BY_HAND = "By hand."


@transaction.atomic
def training_run_request(
    *, dataset: Dataset, by: User | None, recipe: str | None = None, seed: int = 0, why: str = BY_HAND
) -> TrainingRun:
    """Freeze what there is to learn from, and have it learnt.

    Args:
        recipe: None: the one that the dataset's policy names.
        why: what started it, a sentence; the page knows it again (`said.ts`), and tests/data/said.json holds them all.
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
                why=why,
            )
    except IntegrityError:
        raise TrainingRunUnfinished("A training run is on its way already.") from None
    event_record("training_run.requested", subject=run.id, dataset=dataset.id, by=by, recipe=recipe, why=why)
    work_on_training_run.delay_on_commit(str(run.id))
    run.refresh_from_db()
    return run


def training_run_cancel(*, run: TrainingRun, by: User) -> None:
    """The worker notices within seconds; what serves the dataset stays as it is."""
    with transaction.atomic():
        if TrainingRun.objects.filter(id=run.id, state__in=UNFINISHED).update(
            state=RunState.CANCELLED, finished_at=Now(), error="", log=log_with(f"Cancelled by {by.username}.")
        ):
            event_record("training_run.cancelled", subject=run.id, dataset=run.dataset_id, by=by)


def training_run_work(*, run_id: UUID | str) -> None:
    """Do a run, or go on with one whose worker died. Whoever does not get the claim leaves."""
    _folders_sweep()
    claim = claim_take(TRAINING, run_id)
    if claim is None:
        return
    # The run's, not the claim's: whoever takes over goes on with what is there.
    folder = TRAINING.folder_of(claim.run.id)
    claim_work(claim, Work(claim, folder).do_or_keep_the_best)
    if not TRAINING.runs().filter(id=claim.run.id).exists():
        shutil.rmtree(folder, ignore_errors=True)


def training_runs_sweep() -> None:
    """Send for a worker where none came, or where it died; clear up after those that died in a run that is over."""
    from backend.training.tasks import work_on_training_run

    runs_call_again(TRAINING, work_on_training_run)
    _folders_sweep()


def _folders_sweep() -> None:
    folders_sweep(TRAINING, rescue=lambda run: keep_the_best_so_far(run, TRAINING.folder_of(run.id)))


def policies_run() -> None:
    """Start the runs that are due. Two clocks at once start one: the database allows no second."""
    for policy in RetrainPolicy.objects.filter(enabled=True).select_related("dataset"):
        try:
            due = policy_due(policy)
            if due.why.endswith(PASSED_OVER):
                RetrainPolicy.objects.filter(id=policy.id).update(passed_over_at=Now())
            if due.now:
                training_run_request(dataset=policy.dataset, by=None, recipe=policy.recipe, why=due.why)
        except DomainError:
            continue
        except DATABASE_AWAY:
            raise
        except Exception:  # whatever it is: other datasets' runs are started
            logger.exception("the retraining policy of %s", policy.dataset_id)


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
    if "crontab" in fields:
        fields["passed_over_at"] = Now()  # what it would have done before it was set does not count
    policy, _ = RetrainPolicy.objects.update_or_create(dataset=dataset, defaults=fields)
    told = {name: value for name, value in fields.items() if name != "passed_over_at"}
    event_record("retrain_policy.set", subject=policy.id, dataset=dataset.id, by=by, **told)
    policy.refresh_from_db()
    return policy


@transaction.atomic
def gate_rule_set(*, dataset: Dataset, by: User, **changes: Any) -> GateRule:
    """Change what the gate wants of this dataset's candidates; runs that are decided already stay as they are.

    Args:
        changes: of `GateRule`, checked. How much evidence is wanted is the queue's business too, so it is the dataset's.
    """
    Dataset.objects.select_for_update().get(id=dataset.id)
    evidence = {"images_wanted": "test_images_wanted", "masks_wanted": "test_masks_wanted"}
    if own := {field: changes[name] for name, field in evidence.items() if name in changes}:
        Dataset.objects.filter(id=dataset.id).update(**own)
    policy, _ = RetrainPolicy.objects.get_or_create(dataset=dataset)
    gate = {**policy.gate, **{name: value for name, value in changes.items() if name not in evidence}}
    RetrainPolicy.objects.filter(id=policy.id).update(gate=gate)
    event_record("gate_rule.set", subject=policy.id, dataset=dataset.id, by=by, **changes)
    dataset.refresh_from_db()
    return gate_rule_of(dataset)
