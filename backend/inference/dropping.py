"""Embeddings that nobody needs any more: rows and bytes.

An embedding may be wanted again at the moment in which it is dropped. So a row first says that it is not ready, then row and
bytes go together; and bytes that two datasets share are put, found and removed under one lock of the database. Whatever dies in
between leaves a row that waits, and a waiting row is made again.
"""

import logging
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from backend.common.events import event_record
from backend.common.keeping import lock_bytes, may_remove
from backend.common.storage import get_storage
from backend.inference.holding import held_encoders
from backend.inference.models import Embedding, EmbeddingState

logger = logging.getLogger(__name__)

#: What was made a short while ago is left: its holder may be on the way.
YOUNG = timedelta(hours=1)
AT_ONCE = 1000


def embeddings_drop() -> int:
    """Remove those of encoders that no deployment, lease or run of their dataset needs. Returns how many."""
    dropped = 0
    for dataset_id, encoder_hash in _kinds():
        if encoder_hash in held_encoders(dataset_id):
            continue
        old = Embedding.objects.filter(image__dataset_id=dataset_id, encoder_hash=encoder_hash)
        ids = list(old.filter(created_at__lt=Now() - YOUNG).values_list("id", flat=True)[:AT_ONCE])
        gone = sum(embedding_drop(embedding_id=embedding_id) for embedding_id in ids)
        if gone:
            with transaction.atomic():
                event_record(
                    "embeddings.dropped", subject=dataset_id, dataset=dataset_id, encoder=encoder_hash, embeddings=gone
                )
        dropped += gone
    return dropped


def embedding_drop(*, embedding_id: UUID) -> bool:
    """Row and bytes of one, unless somebody needs it after all."""
    with transaction.atomic():
        row = _unless_held(embedding_id)
        if row is None or not may_remove():
            return False
        # From here on it is a row that waits; asked for now, so that nobody wakes a worker for it.
        Embedding.objects.filter(id=row.id).update(state=EmbeddingState.WAITING, asked_at=Now())
    with transaction.atomic():
        row = _unless_held(embedding_id)
        if row is None or row.state != EmbeddingState.WAITING or not may_remove():
            return False
        lock_bytes(row.storage_key)
        others = Embedding.objects.filter(
            encoder_hash=row.encoder_hash, region=row.region, image__content_hash=row.image.content_hash
        ).exclude(id=row.id)
        shared, key = others.exists(), row.storage_key
        row.delete()
        if key and not shared:
            get_storage().delete(key)
    return True


def _unless_held(embedding_id: UUID) -> Embedding | None:
    rows = Embedding.objects.select_related("image").select_for_update(of=("self",), skip_locked=True)
    row = rows.filter(id=embedding_id).first()
    return None if row is None or row.encoder_hash in held_encoders(row.image.dataset_id) else row


def _kinds() -> list[tuple[UUID, str]]:
    return list(Embedding.objects.values_list("image__dataset_id", "encoder_hash").order_by().distinct())
