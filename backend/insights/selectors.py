"""The figures of the loop."""

from typing import Any

from django.db.models import Avg, Count, F
from django.db.models.functions import TruncDay

from backend.annotation.models import HUMAN_ORIGINS, Mask, MaskState
from backend.checkpoints.models import Deployment, DeploymentRole
from backend.datasets.models import Dataset


def figures_of(dataset: Dataset) -> dict[str, Any]:
    """Quality by checkpoint, effort by day, masks by origin."""
    deployments = (
        Deployment.objects.filter(dataset=dataset, role=DeploymentRole.LIVE)
        .select_related("checkpoint")
        .order_by("since")
    )
    active = Mask.objects.filter(image__dataset=dataset, state=MaskState.ACTIVE)
    by_hand = active.filter(origin__in=HUMAN_ORIGINS, seconds__isnull=False)
    effort = (
        by_hand.annotate(day=TruncDay("created_at"))
        .values("day")
        .annotate(seconds=Avg("seconds"), clicks=Avg("clicks"), masks=Count("id"))
        .order_by("day")
    )
    return {
        "quality": [
            {
                "since": deployment.since,
                "checkpoint": deployment.checkpoint_id,
                "name": deployment.checkpoint.name,
                "reason": deployment.reason,
                "miou": deployment.checkpoint.scores.get(str(dataset.id), {}).get("test", {}).get("miou"),
            }
            for deployment in deployments
        ],
        "effort": list(effort),
        "masks_by_origin": dict(active.values_list("origin").annotate(masks=Count("id")).order_by(F("masks").desc())),
    }
