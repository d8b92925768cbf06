"""Embeddings that there are."""

from uuid import UUID

from django.db.models import Avg

from backend.inference.models import Embedding, EmbeddingState
from backend.inference.regions import WHOLE


def embedding_of(image_id: UUID, encoder_hash: str, region: str = WHOLE) -> Embedding | None:
    return Embedding.objects.filter(image_id=image_id, encoder_hash=encoder_hash, region=region).first()


def seconds_expected(encoder_hash: str) -> float:
    """Until one that is asked for now is there: what they take, times how many stand in line."""
    recent = Embedding.objects.filter(encoder_hash=encoder_hash, state=EmbeddingState.READY)
    each = recent.aggregate(mean=Avg("seconds"))["mean"] or 1.0
    waiting = Embedding.objects.filter(encoder_hash=encoder_hash, state=EmbeddingState.WAITING).count()
    return round(each * max(1, min(waiting, 50)), 1)
