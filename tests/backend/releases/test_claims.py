"""One worker writes a release; it may die, but not for ever."""

from uuid import uuid4

import pytest
from django.db.models.functions import Now

from backend.common.models import Event
from backend.releases import services
from backend.releases.models import Release, ReleaseState
from backend.releases.services import MAX_ATTEMPTS, SILENT_AFTER, release_request, release_write, releases_sweep

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


def fall_silent(release):
    long_ago = Now() - 2 * SILENT_AFTER
    Release.objects.filter(id=release.id).update(heard_at=long_ago, asked_at=long_ago)


class Killed(BaseException):
    """As the system's killer does it: nobody says anything."""


def test_a_release_that_is_being_written_is_not_begun_beside_it(release, while_writing, monkeypatch):
    sent = []
    monkeypatch.setattr("backend.releases.tasks.write_release.delay_on_commit", sent.append)

    def called_again():
        if len(written) == 1:
            Release.objects.filter(id=release.id).update(asked_at=Now() - 2 * SILENT_AFTER)
            releases_sweep()
            release_write(release_id=release.id)

    written = while_writing(called_again)
    release_write(release_id=release.id)
    assert (len(written), sent) == (1, [])
    assert Release.objects.get().state == ReleaseState.READY


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


def test_a_release_that_kills_its_workers_is_given_up_and_says_so(release, while_writing, monkeypatch):
    def killed():
        raise Killed

    written = while_writing(killed)
    sent = []
    monkeypatch.setattr("backend.releases.tasks.write_release.delay_on_commit", sent.append)
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
