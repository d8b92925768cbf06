"""Embeddings that nobody needs go, those that somebody needs stay, and none is lost in between."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from backend.annotation.models import Assignment
from backend.autolabel.models import AutolabelRun, RunState
from backend.checkpoints.models import Checkpoint, Deployment
from backend.common.ids import uuid7
from backend.common.keeping import lock_bytes
from backend.common.storage import get_storage
from backend.datasets.services import dataset_create, image_import
from backend.inference.dropping import embedding_drop, embeddings_drop
from backend.inference.models import Embedding, EmbeddingState
from backend.inference.services import embedding_make, embedding_ready

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def old(photo, live):
    """An embedding of the encoder that served until long ago."""
    embedding = embedding_ready(image=photo, encoder_hash=live.encoder_hash)
    Embedding.objects.update(created_at=Now() - timedelta(days=30))
    other = Checkpoint.objects.get(id=live.id)
    other.pk, other.id, other._state.adding = None, uuid7(), True
    other.encoder_hash, other.file_hash, other.storage_key = "e" * 64, "f" * 64, "checkpoints/another"
    other.save()
    Deployment.objects.update(until=Now() - timedelta(days=8))
    Deployment.objects.create(dataset=photo.dataset, checkpoint=other, reason="promoted by the gate")
    return embedding


def size_of(embedding):
    return get_storage().size(embedding.storage_key)


def test_embeddings_of_an_encoder_that_serves_no_more_go_with_their_bytes(old):
    assert size_of(old)
    assert embeddings_drop() == 1
    assert not Embedding.objects.filter(id=old.id).exists()
    assert size_of(old) is None


def test_what_serves_and_what_served_within_a_week_stays_so_that_rolling_back_needs_no_waiting(old):
    Deployment.objects.filter(until__isnull=False).update(until=Now() - timedelta(days=6))
    assert embeddings_drop() == 0
    assert size_of(old)


def test_a_lease_that_began_on_the_old_encoder_holds_its_embeddings(old, photo, live, annotator):
    Assignment.objects.create(image=photo, holder=annotator, checkpoint=live, expires_at=Now() + timedelta(minutes=5))
    assert embeddings_drop() == 0
    Assignment.objects.update(state="submitted")
    assert embeddings_drop() == 1


def test_a_paused_run_holds_its_embeddings(old, dataset, live):
    AutolabelRun.objects.create(dataset=dataset, checkpoint=live, state=RunState.PAUSED)
    assert embeddings_drop() == 0


def test_bytes_that_another_dataset_shares_stay(old, photo, admin, live, jpeg):
    other = dataset_create(creator=admin, name="Another")
    twin, _ = image_import(dataset=other, file_name="a.jpg", content=jpeg(seed=0), by=admin)
    assert twin.content_hash == photo.content_hash
    shared = embedding_ready(image=twin, encoder_hash=live.encoder_hash)
    assert shared.storage_key == old.storage_key
    Deployment.objects.filter(dataset=other).update(checkpoint=live, until=None)
    assert embeddings_drop() == 1
    assert size_of(shared)


def test_one_that_is_dropped_while_its_twin_is_made_leaves_no_row_without_bytes(old, photo, admin, live, jpeg):
    other = dataset_create(creator=admin, name="Another")
    twin, _ = image_import(dataset=other, file_name="a.jpg", content=jpeg(seed=0), by=admin)
    Embedding.objects.filter(image=twin).delete()
    dropper_at_work, dropped = threading.Event(), threading.Event()

    def drop():
        """Holds the lock while the twin, which has seen the bytes, wants to say that it is ready."""
        try:
            with transaction.atomic():
                lock_bytes(old.storage_key)
                dropper_at_work.set()
                dropped.wait(1)
                Embedding.objects.filter(id=old.id).delete()
                get_storage().delete(old.storage_key)
        finally:
            connection.close()

    waiting = Embedding.objects.create(image=twin, encoder_hash=live.encoder_hash)
    thread = threading.Thread(target=drop)
    thread.start()
    dropper_at_work.wait(5)
    embedding_make(embedding_id=waiting.id)
    thread.join()
    waiting.refresh_from_db()
    assert waiting.state == EmbeddingState.WAITING or size_of(waiting)
    embedding_make(embedding_id=waiting.id)
    waiting.refresh_from_db()
    assert waiting.state == EmbeddingState.READY
    assert size_of(waiting)


def test_what_dies_halfway_leaves_an_embedding_that_is_made_again(old, photo, live, monkeypatch):
    from backend.inference import dropping

    def dies(_):
        raise RuntimeError("killed")

    monkeypatch.setattr(dropping, "lock_bytes", dies)
    with pytest.raises(RuntimeError):
        embedding_drop(embedding_id=old.id)
    old.refresh_from_db()
    assert old.state == EmbeddingState.WAITING
    assert size_of(embedding_ready(image=photo, encoder_hash=live.encoder_hash))


def test_young_ones_are_left(old):
    Embedding.objects.update(created_at=F("created_at") + timedelta(days=30))
    assert embeddings_drop() == 0
