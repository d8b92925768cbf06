"""Embeddings ahead of need: those of a whole dataset, when another encoder goes live."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from backend.checkpoints.models import BY_THE_GATE
from backend.common.events import event_record
from backend.common.models import Event
from backend.common.services import event_deliver
from backend.datasets.models import Image
from backend.inference import services
from backend.inference.models import Embedding, EmbeddingBacklog
from backend.inference.selectors import images_to_embed
from backend.inference.services import (
    ASK_AGAIN_AFTER,
    embedding_request,
    embeddings_called_in_vain,
    embeddings_request,
    embeddings_request_next,
    embeddings_sweep,
)
from tests.backend.conftest import analyze, multiplied, plan_of

pytestmark = pytest.mark.django_db(transaction=True)


def promoted(dataset):
    with transaction.atomic():
        event = event_record("deployment.changed", subject=dataset.id, dataset=dataset.id, reason=BY_THE_GATE)
    event_deliver(event_id=str(event.id))


def about(calls, task):
    return [call.about for call in calls if call.task == task]


def test_a_promotion_wakes_a_batch_worker_and_asks_for_no_photo_itself(add_photo, live, dataset, calls):
    add_photo(1), add_photo(2)
    del calls[:]
    promoted(dataset)
    assert not Embedding.objects.exists()
    assert about(calls, "embed_ahead") == [str(dataset.id)]
    assert not about(calls, "make_embedding")


def test_photos_are_asked_for_some_at_a_time_and_the_worker_calls_itself_until_none_is_missing(
    add_photo, live, dataset, calls, monkeypatch
):
    monkeypatch.setattr(services, "AHEAD_AT_ONCE", 2)
    for seed in range(5):
        add_photo(seed)
    embeddings_request(dataset=dataset)
    for asked, goes_on in ((2, True), (2, True), (1, False), (0, False)):
        del calls[:]
        assert embeddings_request_next(dataset_id=dataset.id) == asked
        assert len(about(calls, "make_embedding")) == asked
        assert bool(about(calls, "embed_ahead")) == goes_on
        assert EmbeddingBacklog.objects.exists() == goes_on
    assert Embedding.objects.filter(asked_at__isnull=False).count() == 5


def test_the_call_for_the_rest_stands_behind_those_for_the_photos(add_photo, live, dataset, calls, monkeypatch):
    monkeypatch.setattr(services, "AHEAD_AT_ONCE", 1)
    add_photo(1), add_photo(2)
    embeddings_request(dataset=dataset)
    del calls[:]
    embeddings_request_next(dataset_id=dataset.id)
    assert [call.task for call in calls] == ["make_embedding", "embed_ahead"]


def test_those_that_people_are_about_to_get_come_first_in_their_order_then_those_they_have_finished(
    add_photo, live, dataset, calls
):
    doubts = {1: None, 2: 0.1, 3: 0.9, 4: None, 5: 0.5}
    for seed, doubt in doubts.items():
        Image.objects.filter(id=add_photo(seed).id).update(doubt=doubt)
    Image.objects.filter(file_name__in=["photo 1.jpg", "photo 3.jpg"]).update(annotated_at=Now())
    embeddings_request(dataset=dataset)
    del calls[:]
    embeddings_request_next(dataset_id=dataset.id)
    names = {str(row.id): row.image.file_name[6] for row in Embedding.objects.select_related("image")}
    assert [names[embedding] for embedding in about(calls, "make_embedding")] == ["5", "2", "4", "1", "3"]


def test_two_workers_at_once_leave_what_one_leaves(add_photo, live, dataset, calls, monkeypatch):
    monkeypatch.setattr(services, "AHEAD_AT_ONCE", 3)
    for seed in range(8):
        add_photo(seed)
    embeddings_request(dataset=dataset)
    del calls[:]

    def work(_):
        try:
            return [embeddings_request_next(dataset_id=dataset.id) for _ in range(4)]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        asked = sum(sum(own) for own in threads.map(work, range(4)))
    while EmbeddingBacklog.objects.exists():
        asked += embeddings_request_next(dataset_id=dataset.id)
    assert asked == Embedding.objects.count() == 8
    called = about(calls, "make_embedding")
    assert len(called) == len(set(called)) == 8


def test_a_photo_that_somebody_asked_for_before_is_not_asked_for_again(add_photo, live, dataset, calls):
    first, second = add_photo(1), add_photo(2)
    embedding_request(image=first, encoder_hash=live.encoder_hash, urgent=True)
    embeddings_request(dataset=dataset)
    del calls[:]
    assert embeddings_request_next(dataset_id=dataset.id) == 1
    assert about(calls, "make_embedding") == [str(Embedding.objects.get(image=second).id)]


def test_a_photo_of_which_only_a_region_is_embedded_is_embedded_ahead_of_need(photo, live, dataset):
    Embedding.objects.create(image=photo, encoder_hash=live.encoder_hash, region="0,0,32,32")
    assert images_to_embed(dataset, live.encoder_hash, at_most=5) == [photo.id]


def test_a_call_that_was_lost_is_repeated_once_no_other_waits(photo, live, dataset, calls, monkeypatch):
    embeddings_request(dataset=dataset)
    for age, calls_wait, is_called in (
        (ASK_AGAIN_AFTER / 2, 0, False),
        (2 * ASK_AGAIN_AFTER, 7, False),
        (2 * ASK_AGAIN_AFTER, 0, True),
    ):
        monkeypatch.setattr(services, "calls_waiting", lambda _, number=calls_wait: number)
        EmbeddingBacklog.objects.update(asked_at=Now() - age)
        del calls[:]
        embeddings_sweep()
        assert about(calls, "embed_ahead") == [str(dataset.id)] * is_called
    assert Event.objects.filter(kind="embedding_backlog.asked_again").count() == 1
    monkeypatch.setattr(services, "calls_waiting", lambda _: 7)
    del calls[:]
    embeddings_called_in_vain()
    assert about(calls, "embed_ahead") == [str(dataset.id)]


def test_missing_ones_are_found_by_an_index_and_not_by_a_list_of_all_that_there_are(photo, live, dataset):
    photos = multiplied(photo)
    Embedding.objects.bulk_create(Embedding(image=one, encoder_hash=live.encoder_hash) for one in photos[100:])
    analyze(Embedding)
    with CaptureQueriesContext(connection) as asked:
        images_to_embed(dataset, live.encoder_hash, at_most=5)
    (plan,) = [plan_of(query["sql"]) for query in asked]
    assert "Nested Loop Anti Join" in plan
