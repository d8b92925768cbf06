"""Embeddings that there are, and those that are missing."""

from uuid import UUID

from django.db.models import Avg, Exists, OuterRef

from backend.datasets.models import Dataset
from backend.datasets.selectors import work_order
from backend.inference.models import Embedding, EmbeddingState
from backend.inference.regions import WHOLE

#: Of how many the time that one takes is the mean.
NEWEST = 100
#: Whoever stands behind more than so many is told no longer time.
IN_LINE = 50


def embedding_of(image_id: UUID, encoder_hash: str, region: str = WHOLE) -> Embedding | None:
    return Embedding.objects.filter(image_id=image_id, encoder_hash=encoder_hash, region=region).first()


def seconds_expected(encoder_hash: str) -> float:
    """Until one that is asked for now is there: what they take, times how many stand in line."""
    own = Embedding.objects.filter(encoder_hash=encoder_hash)
    newest = own.filter(state=EmbeddingState.READY).order_by("-created_at")[:NEWEST]
    each = newest.aggregate(mean=Avg("seconds"))["mean"] or 1.0
    waiting = own.filter(state=EmbeddingState.WAITING)[:IN_LINE].count()
    return round(each * max(1, waiting), 1)


def images_to_embed(dataset: Dataset, encoder_hash: str, *, at_most: int) -> list[UUID]:
    """Photos that have no embedding, in the order of need: those that people are about to get, then the finished ones."""
    whole = Embedding.objects.filter(image=OuterRef("pk"), encoder_hash=encoder_hash, region=WHOLE)
    missing = dataset.images.filter(~Exists(whole)).values_list("id", flat=True)
    needed = list(missing.filter(annotated_at__isnull=True).order_by(*work_order(dataset))[:at_most])
    finished = missing.filter(annotated_at__isnull=False).order_by("created_at", "id")
    return needed + list(finished[: at_most - len(needed)])
