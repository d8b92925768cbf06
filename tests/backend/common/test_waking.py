"""Calls that are lost, servers that go away, and clocks that call too often: nothing is lost, and the events tell of it."""

import os
import time

import pytest
import redis
from celery import current_app, shared_task
from celery.app.task import Task
from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as QueueAway

from backend.autolabel.jobs import ASK_AGAIN_AFTER
from backend.common import services, storage, waking
from backend.common.events import event_record
from backend.common.models import Event
from backend.common.services import NOBODY, event_deliver, events_sweep, files_sweep, queue_check
from backend.common.tasks import sweep_events
from backend.common.waking import calls_waiting
from backend.inference.models import Embedding
from backend.inference.services import embedding_request, embeddings_sweep
from backend.inference.tasks import make_embedding

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queue() -> redis.Redis:
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(services.QUEUE_SIGN)
    return client


@pytest.fixture
def sent(monkeypatch) -> list[str]:
    """Names of the tasks that are called; while `is_away`, none can be."""
    calls: list[str] = []
    monkeypatch.setattr(waking, "_deaf_until", 0.0)
    monkeypatch.setattr(Task, "apply_async", lambda self, *_, **__: calls.append(self.name.rpartition(".")[2]))
    return calls


def pieces(kind: str) -> list[dict]:
    return list(Event.objects.filter(kind=kind).values_list("data", flat=True))


def test_where_the_queue_is_away_the_work_is_done_all_the_same_and_asked_for_again_later(
    photo, live, sent, monkeypatch
):
    def refuse(*_: object, **__: object) -> None:
        raise QueueAway("no Redis")

    with monkeypatch.context() as away:
        away.setattr(Task, "apply_async", refuse)
        embedding = embedding_request(image=photo, encoder_hash=live.encoder_hash, urgent=True)
        with transaction.atomic():
            event_record("image.imported", subject=photo.id, dataset=photo.dataset_id)
    assert pieces("queue.lost") == [{"why": "away"}], "one event tells of many lost calls"
    Event.objects.filter(delivered_at__isnull=True).update(created_at=Now() - 2 * ASK_AGAIN_AFTER)
    monkeypatch.setattr(waking, "_deaf_until", 0.0)
    events_sweep()
    assert "make_embedding" in sent
    assert not Event.objects.filter(delivered_at__isnull=True).exists()
    assert [told["embeddings"] for told in pieces("embeddings.asked_again")] == [1]
    assert pieces("events.delivered_late")
    embedding.refresh_from_db()
    assert embedding.asked_at is not None


def test_a_redis_that_was_emptied_is_noticed_and_all_that_waits_is_called_again(photo, live, sent, queue):
    queue_check()
    queue_check()
    assert (len(pieces("queue.begun")), pieces("queue.lost")) == (1, [])
    embedding_request(image=photo, encoder_hash=live.encoder_hash, urgent=True)
    queue.delete(services.QUEUE_SIGN)  # with all the rest
    del sent[:]
    queue_check()
    queue_check()
    (lost,) = Event.objects.filter(kind="queue.lost")
    assert lost.data == {"why": "emptied"}
    event_deliver(event_id=str(lost.id))
    assert sent.count("make_embedding") == Embedding.objects.filter(state="waiting").count() == 1


def test_a_photo_that_waits_behind_many_calls_is_not_called_again_until_the_queue_is_empty(
    photo, add_photo, live, queue, monkeypatch
):
    lost, failed = add_photo(1), add_photo(2)
    for image in (photo, lost, failed):
        embedding_request(image=image, encoder_hash=live.encoder_hash, urgent=False)
    rows = Embedding.objects.filter(image=photo)
    Embedding.objects.update(asked_at=Now() - 2 * ASK_AGAIN_AFTER)
    Embedding.objects.filter(image=lost).update(asked_at=None)
    Embedding.objects.filter(image=failed).update(attempts=1, error="the storage was away")
    Event.objects.all().delete()
    queue.delete(*queue.keys("batch*"))  # the queue has a list for each priority
    make_embedding.delay(str(NOBODY))  # somebody else's call, which nobody takes
    before = rows.get().asked_at
    embeddings_sweep()
    assert [told["embeddings"] for told in pieces("embeddings.asked_again")] == [2], "not called, and failed"
    embeddings_sweep()
    assert (rows.get().asked_at, queue.llen("batch")) == (before, 3)
    Embedding.objects.filter(image=failed).update(asked_at=Now() - 2 * ASK_AGAIN_AFTER)  # its second call waits, too
    embeddings_sweep()
    assert queue.llen("batch") == 3
    queue.delete("batch")  # a worker took all of them, and died
    embeddings_sweep()
    assert [told["embeddings"] for told in pieces("embeddings.asked_again")] == [2, 2]
    assert (rows.get().asked_at > before, queue.llen("batch")) == (True, 2)


def test_where_the_queue_cannot_be_reached_nothing_is_called_and_nothing_breaks(photo, live, monkeypatch):
    embedding_request(image=photo, encoder_hash=live.encoder_hash, urgent=False)
    Embedding.objects.update(asked_at=None)
    nobody = current_app.connection_for_read("redis://127.0.0.1:1/0")
    monkeypatch.setattr(current_app._get_current_object(), "connection_for_read", lambda: nobody)
    with pytest.raises(QueueAway):
        calls_waiting("batch")
    embeddings_sweep()
    assert Embedding.objects.get().asked_at is None


@shared_task
def called(subject: str) -> str:
    return subject


@pytest.fixture
def as_in_a_worker():
    begun = []

    def begin(task):
        task.push_request(called_directly=False, is_eager=False)
        begun.append(task)
        return task

    yield begin
    for task in begun:
        task.pop_request()


def test_a_task_waits_for_the_database_and_says_so_when_it_is_back(as_in_a_worker, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    task = as_in_a_worker(called)
    asked = []

    def run(subject: str) -> str:
        asked.append(subject)
        if len(asked) < 3:
            raise OperationalError("terminating connection due to administrator command")
        return subject

    monkeypatch.setattr(task, "run", run, raising=False)
    assert task(str(NOBODY)) == str(NOBODY)
    assert pauses == [1, 2]
    assert pieces("task.tried_again") == [{"task": "called", "times": 2}]
    monkeypatch.setattr(task, "run", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # what is wrong in itself is not tried again
        task(str(NOBODY))


def test_of_a_clocks_calls_that_piled_up_one_is_answered(as_in_a_worker, queue, monkeypatch):
    key = f"maskloop:swept:{sweep_events.name}"
    queue.delete(key)
    done: list[int] = []
    task = as_in_a_worker(sweep_events)
    monkeypatch.setattr(services, "events_sweep", lambda: done.append(1))
    for _ in range(3):
        task()
    assert done == [1]
    assert 0 < queue.pttl(key) <= 30_000  # half of its minute, by Redis's clock
    queue.delete(key)
    task()
    assert done == [1, 1]


def test_what_a_process_left_half_written_goes_and_what_is_being_written_stays(settings, tmp_path):
    tmp_path /= "storage"
    settings.STORAGE_URL = f"file://{tmp_path}"
    storage.get_storage().put("a/b", b"whole")
    left, at_work = (tmp_path / storage.UNFINISHED / name for name in ("left", "at work"))
    left.write_bytes(b"hal"), at_work.write_bytes(b"hal")
    os.utime(left, (0, time.time() - 2 * storage.UNFINISHED_KEPT_SECONDS))
    files_sweep()
    assert not left.exists()
    assert at_work.exists()
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file() and p != at_work] == ["a/b"]
