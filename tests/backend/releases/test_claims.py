"""One worker writes a release; it may die, but not for ever."""

import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from backend.common.models import Event
from backend.releases import services
from backend.releases.models import Release, ReleaseState
from backend.releases.services import (
    ASK_AGAIN_AFTER,
    MAX_ATTEMPTS,
    SILENT_AFTER,
    release_request,
    release_write,
    releases_sweep,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def release(dataset, admin, annotator, add_photo, label, settings, tmp_path):
    settings.WORK_FOLDER = tmp_path / "work"
    add_photo(1)
    label(annotator)
    return release_request(dataset=dataset, by=admin, format_name="sa1b", options={})


@pytest.fixture
def while_writing(monkeypatch):
    """Something happens when the files are written and nothing is said of them yet."""
    written = []

    def have(happen):
        write = services._write_files

        def writing(release, folder):
            files = write(release, folder)
            written.append(release.worker)
            happen()
            return files

        monkeypatch.setattr(services, "_write_files", writing)
        return written

    return have


@pytest.fixture
def while_uploading(monkeypatch):
    """Something happens before the first file is stored."""

    def have(happen):
        storage, begun = services.get_storage(), []
        put = storage.put

        def putting(key, content):
            begun.append(key)
            if len(begun) == 1:
                happen()
            put(key, content)

        monkeypatch.setattr(storage, "put", putting)

    return have


@pytest.fixture
def sent(monkeypatch):
    calls = []
    monkeypatch.setattr("backend.releases.tasks.write_release.delay_on_commit", calls.append)
    return calls


@pytest.fixture
def silence_seconds(monkeypatch):
    """After so long a worker is dead."""
    monkeypatch.setattr(services, "SILENT_AFTER", timedelta(seconds=2))
    monkeypatch.setattr(services, "BEAT_EVERY_SECONDS", 0.1)
    return 2


def fall_silent(release):
    long_ago = Now() - 2 * SILENT_AFTER
    Release.objects.filter(id=release.id).update(heard_at=long_ago, asked_at=long_ago - SILENT_AFTER)


class Killed(BaseException):
    """As the system's killer does it: nobody says anything."""


def killed():
    raise Killed


def test_a_release_that_is_being_written_is_not_begun_beside_it(release, while_writing, sent):
    def called_again():
        if len(written) == 1:
            Release.objects.filter(id=release.id).update(asked_at=Now() - 2 * ASK_AGAIN_AFTER)
            releases_sweep()
            release_write(release_id=release.id)

    written = while_writing(called_again)
    release_write(release_id=release.id)
    assert (len(written), sent) == (1, [])
    assert Release.objects.get().state == ReleaseState.READY


def test_a_worker_is_heard_of_while_one_file_takes_longer_than_a_silence(
    release, while_uploading, sent, silence_seconds
):
    def called_again():
        time.sleep(1.5 * silence_seconds)
        releases_sweep()
        release_write(release_id=release.id)

    while_uploading(called_again)
    release_write(release_id=release.id)
    done = Release.objects.get()
    assert (done.state, done.attempts, sent) == (ReleaseState.READY, 1, [])


def test_a_release_goes_on_once_its_dead_worker_was_silent_for_long_enough(
    release, while_uploading, sent, silence_seconds
):
    while_uploading(killed)
    with pytest.raises(Killed):
        release_write(release_id=release.id)
    releases_sweep()
    release_write(release_id=release.id)
    assert (Release.objects.get().attempts, sent) == (1, [])
    time.sleep(1.1 * silence_seconds)
    for _ in range(2):  # it is sent for once
        releases_sweep()
    assert sent == [str(release.id)]
    release_write(release_id=release.id)
    done = Release.objects.get()
    assert (done.state, done.attempts) == (ReleaseState.READY, 2)


def test_a_wake_up_call_that_waits_in_the_queue_is_not_repeated_every_minute(release, sent):
    for age, calls in ((2 * SILENT_AFTER, 0), (2 * ASK_AGAIN_AFTER, 1)):
        Release.objects.filter(id=release.id).update(asked_at=Now() - age)
        releases_sweep()
        assert len(sent) == calls


def test_a_worker_taken_for_dead_says_nothing_more_of_a_release(release, while_writing):
    def another_takes_over():
        if len(written) == 1:
            fall_silent(release)
            release_write(release_id=release.id)
            raise OSError("the first one's disk is full")

    written = while_writing(another_takes_over)
    release_write(release_id=release.id)
    done = Release.objects.get()
    assert (len(written), done.state, done.error, done.attempts) == (2, ReleaseState.READY, "", 2)
    assert Event.objects.filter(kind="release.ready").count() == 1
    assert not Event.objects.filter(kind="release.failed").exists()


def test_a_release_that_kills_its_workers_is_given_up_and_says_so(release, while_writing, sent):
    written = while_writing(killed)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        with pytest.raises(Killed):
            release_write(release_id=release.id)
        fall_silent(release)
        releases_sweep()
        assert sent == [str(release.id)] * attempt
    release_write(release_id=release.id)
    failed = Release.objects.get()
    assert (len(written), failed.state) == (MAX_ATTEMPTS, ReleaseState.FAILED)
    assert failed.error == "It was begun 3 times, and each time its worker died."
    assert failed.finished_at is not None
    releases_sweep()
    assert len(sent) == MAX_ATTEMPTS


def test_a_database_that_goes_away_again_and_again_is_no_death_of_the_worker(release, while_writing):
    times = MAX_ATTEMPTS + 1

    def away():
        if len(written) <= times:
            raise OperationalError("the server closed the connection")

    written = while_writing(away)
    for _ in range(times):  # as the task does it, once the database answers again
        with pytest.raises(OperationalError):
            release_write(release_id=release.id)
    release_write(release_id=release.id)
    done = Release.objects.get()
    assert (len(written), done.state, done.attempts) == (times + 1, ReleaseState.READY, 1)


def test_a_release_that_another_took_while_the_database_was_away_stays_the_others(release, while_writing):
    def away():
        raise OperationalError("the server closed the connection")

    written = while_writing(away)
    with pytest.raises(OperationalError):
        release_write(release_id=release.id)
    Release.objects.update(worker=uuid4())
    release_write(release_id=release.id)
    assert (len(written), Release.objects.get().state) == (1, ReleaseState.WRITING)


def test_a_stored_file_that_is_gone_is_named_in_the_releases_error(release, while_writing):
    from backend.common.storage import Missing

    def gone():
        raise Missing("images/1")

    while_writing(gone)
    release_write(release_id=release.id)
    failed = Release.objects.get()
    assert (failed.state, failed.error) == (ReleaseState.FAILED, "A stored file is gone: images/1.")


def test_who_writes_a_release_removes_what_dead_workers_left_on_this_machine(release, dataset, admin, settings):
    over, at_work = (release_request(dataset=dataset, by=admin, format_name="sa1b", options={}) for _ in range(2))
    Release.objects.filter(id=over.id).update(state=ReleaseState.READY, finished_at=Now() - 2 * SILENT_AFTER)
    left, deleted, kept = (
        settings.WORK_FOLDER / f"{services.FOLDER}{name}-abc" for name in (over.id, uuid4(), at_work.id)
    )
    for folder in (left, deleted, kept):
        folder.mkdir(parents=True)
    release_write(release_id=release.id)
    assert [folder.exists() for folder in (left, deleted, kept)] == [False, False, True]
