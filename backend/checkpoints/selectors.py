"""Which checkpoint answers where, and who may have it."""

from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import Http404

from backend.accounts.models import User
from backend.checkpoints.models import ROLLED_BACK, Checkpoint, Deployment, DeploymentRole
from backend.datasets.models import Dataset
from backend.datasets.selectors import datasets_of


def live_checkpoint(dataset_id: UUID) -> Checkpoint | None:
    """The one that serves the dataset now; None before its first deployment."""
    live = Deployment.objects.filter(dataset_id=dataset_id, role=DeploymentRole.LIVE, until__isnull=True)
    return Checkpoint.objects.filter(deployments__in=live).first()


def checkpoint_before(dataset: Dataset) -> Checkpoint | None:
    """What rolling back makes live: what served before the present one, without what was rolled back already."""
    served: list[Checkpoint] = []
    live = Deployment.objects.filter(dataset=dataset, role=DeploymentRole.LIVE).select_related("checkpoint")
    for deployment in live.order_by("since", "id"):
        if deployment.reason == ROLLED_BACK and deployment.checkpoint in served:
            while served[-1] != deployment.checkpoint:
                served.pop()
        elif deployment.checkpoint not in served[-1:]:
            served.append(deployment.checkpoint)
    return served[-2] if len(served) > 1 else None


def checkpoints_of(dataset: Dataset) -> QuerySet[Checkpoint]:
    """All that were made for the dataset, for all datasets, or ever served it, newest first."""
    return (
        Checkpoint.objects.filter(Q(dataset=dataset) | Q(dataset=None) | Q(deployments__dataset=dataset))
        .distinct()
        .order_by("-created_at")
        .prefetch_related("deployments")
    )


def checkpoint_get(*, user: User, checkpoint_id: UUID) -> Checkpoint:
    """
    Raises:
        Http404: there is none, or it belongs to a dataset that is not the person's to see.
    """
    checkpoint = Checkpoint.objects.filter(id=checkpoint_id).first()
    if checkpoint is None:
        raise Http404
    # It may have been made for one dataset and serve another.
    own = datasets_of(user).filter(Q(id=checkpoint.dataset_id) | Q(deployments__checkpoint=checkpoint))
    if checkpoint.dataset_id and not own.exists():
        raise Http404
    return checkpoint
