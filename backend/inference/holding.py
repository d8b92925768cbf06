"""Who still needs an encoder's embeddings. Apps above this one say so for what is theirs; see `dropping`."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from backend.checkpoints.models import Deployment

#: Rolling back is one click, and shall not have to wait for every photo to be embedded again.
KEPT_AFTER_SERVING = timedelta(days=7)

#: Encoder hashes that something of a dataset needs.
Holder = Callable[[UUID], set[str]]
_holders: list[Holder] = []


def holds_embeddings(holder: Holder) -> Holder:
    """Ask the decorated function before a dataset's embeddings are dropped."""
    _holders.append(holder)
    return holder


def held_encoders(dataset_id: UUID) -> set[str]:
    return set().union(*(holder(dataset_id) for holder in _holders))


@holds_embeddings
def _deployments(dataset_id: UUID) -> set[str]:
    serving = Q(until__isnull=True) | Q(until__gt=Now() - KEPT_AFTER_SERVING)
    hashes = Deployment.objects.filter(serving, dataset_id=dataset_id).values_list(
        "checkpoint__encoder_hash", flat=True
    )
    return set(hashes)
