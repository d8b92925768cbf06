"""What the server says of runs and of the gate is what the page can say in other languages, sentence by sentence."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models.functions import Now

from backend.annotation.models import Mask, Origin
from backend.training import services
from backend.training.gate import decide
from backend.training.models import RetrainPolicy
from backend.training.selectors import policy_due, policy_of
from backend.training.work import OVERTAKEN
from tests.backend.training.test_gate import RULE, of_scenes, report, with_sizes
from tests.backend.training.test_policies import finish_runs, masks, policy  # noqa: F401 -- fixtures

#: Each with its German; the page's test reads the same file.
SAID = json.loads((Path(__file__).parents[2] / "data" / "said.json").read_text())


def forms(sentences):
    """What stays when numbers are others."""
    return {re.sub(r"\d+(\.\d+)?", "0", one) for one in sentences}


BY_THE_GATE = ("The gate", "It wants", "mIoU", "clicks to", "oracle gap")
#: Why a model is live; see `checkpoints`.
OF_DEPLOYMENTS = {"the default model", "rolled back", "by hand", "promoted by the gate"}
#: In its warnings; see `tests/backend/review/test_audit.py`.
OF_AUDITS = "audited masks are above"


def test_the_gates_reasons_are_the_ones_that_the_page_knows():
    four = [0.5, 0.6, 0.7, 0.8]
    wider = report([0.55] * 4)
    for one in wider["per_image"].values():
        one["oracle"]["1"] += 0.2
    better = decide(report(four), report([iou + 0.05 for iou in four]), RULE)
    said = {
        better.reason,
        f"{better.reason} {OVERTAKEN}",
        *(
            decide(live, candidate, RULE).reason
            for live, candidate in (
                (report(four), report(four)),
                (report(four), report([iou - 0.1 for iou in four])),
                (report([0.5] * 4, noc=5), report([0.6] * 4, noc=6)),
                (report([0.5] * 4), wider),
                (with_sizes(0.5, 0.5), with_sizes(0.4, 0.9)),
                (report([0.5, 0.6]), report([0.9, 0.9])),
                (report([0.5, 0.6], objects=4), report([0.9, 0.9], objects=4)),
                (report(four, objects=1), report(four, objects=1)),
                (of_scenes(report(four), ["a"] * 4), of_scenes(report(four), ["a"] * 4)),
                # Of what is missing one, or more.
                (report([0.5] * 3, objects=3), report([0.5] * 3, objects=3)),
                (report([0.5] * 7, objects=1), report([0.5] * 7, objects=1)),
                (report([0.5] * 3, objects=1), report([0.5] * 3, objects=1)),
                ({**report([0.5] * 2), "objects": 7}, report([0.5] * 2)),
                ({**report([0.5] * 3), "objects": 7}, report([0.5] * 3)),
            )
        ),
    }
    wider_rule = replace(RULE, images_wanted=8, masks_wanted=1)
    one_scene = of_scenes(report(four + four), ["a"] * 8)
    said.add(decide(one_scene, one_scene, wider_rule).reason)
    assert forms(said) == forms(one for one in SAID if one.startswith(BY_THE_GATE))


@pytest.mark.django_db(transaction=True)
def test_a_policys_reasons_are_the_ones_that_the_page_knows(dataset, policy, masks):  # noqa: F811
    said, nightly = {services.BY_HAND}, "0 3 * * *"

    def hear(**fields):
        said.add(policy(**fields)["why"])

    def run_by_itself():
        services.training_run_request(dataset=dataset, by=None, recipe="debug_decoder")

    hear(enabled=False)
    hear()
    masks(1)
    hear(after_new_masks=2)
    hear(after_new_masks=1, settle_minutes=1)
    hear(after_new_masks=None, crontab=nightly)
    masks(1)
    hear(after_new_masks=2, settle_minutes=5, crontab="")
    hear(after_new_masks=None, crontab=nightly)
    RetrainPolicy.objects.update(created_at=Now() - timedelta(days=2), passed_over_at=Now() - timedelta(days=2))
    for by_people in (2, 1, 0):
        newest = Mask.objects.order_by("-created_at").values_list("id")[: 2 - by_people]
        Mask.objects.filter(id__in=newest).update(origin=Origin.AUTOMATIC)
        said.add(policy_due(policy_of(dataset)).why)
    Mask.objects.update(origin=Origin.ASSISTED)
    run_by_itself()
    hear(crontab=nightly)
    finish_runs()
    masks(2)
    hear(after_new_masks=2, crontab="", cooldown_minutes=30)
    hear(after_new_masks=2, cooldown_minutes=1)
    hear(after_new_masks=2, max_runs_per_day=1)
    run_by_itself()
    finish_runs()
    masks(2)
    hear(after_new_masks=2, max_runs_per_day=2)
    others = [one for one in SAID if OF_AUDITS not in one and one not in OF_DEPLOYMENTS]
    assert forms(said) == forms(one for one in others if not one.startswith(BY_THE_GATE))
