"""What was backed up comes back, rows and bytes."""

import io
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.models.functions import Now

from backend.checkpoints.models import Deployment
from backend.common.keeping import nothing_is_removed
from backend.common.models import Event
from backend.common.storage import get_storage, read
from backend.datasets.models import Dataset, Image
from backend.inference.dropping import embedding_drop
from backend.inference.models import Embedding
from backend.inference.services import embedding_ready
from backend.insights import backup
from tests.backend.insights.test_deleting import with_another_connection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_storage(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "STORAGE_URL", f"file://{tmp_path / 'storage'}")


@pytest.fixture
def worked_on(dataset, annotator, add_photo, label, live):
    add_photo(1), add_photo(2)
    label(annotator, masks=2)
    for image in Image.objects.all():
        embedding_ready(image=image, encoder_hash=live.encoder_hash)
    return dataset


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def rows() -> dict[str, list[tuple]]:
    return {
        model._meta.label: sorted(model._default_manager.values_list("pk"), key=str)
        for model in apps.get_models()
        if model is not Event
    }


def stored() -> dict[str, bytes]:
    return {key: read(key) for key in get_storage().keys("") if not key.startswith(".")}


def test_a_backup_brings_back_the_same_rows_and_the_same_bytes(worked_on, tmp_path):
    folder, storage = tmp_path / "backup", tmp_path / "storage"
    before = rows(), stored()
    assert "is whole" in run("backup", folder)
    assert folder.stat().st_mode & 0o077 == 0, "it is nobody else's to read"
    run("delete_dataset", worked_on.id, "--yes")
    shutil.rmtree(storage)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE annotation_mask CASCADE")  # whatever is there, it becomes what the backup is

    assert "will be deleted" in run("restore", folder, "--yes")

    assert (rows(), stored()) == before
    assert Event.objects.filter(kind="queue.lost", data__why="restored").exists(), "what waits is called again"
    image = Image.objects.first()
    assert read(image.original_key), "and it works"
    assert Image.objects.get(id=image.id).masks.count() + Image.objects.exclude(id=image.id).get().masks.count() == 2


def test_a_second_backup_copies_what_is_new_and_restores_into_another_storage(
    worked_on, add_photo, tmp_path, monkeypatch
):
    folder = tmp_path / "backup"
    run("backup", folder)
    assert "0 files were new" in run("backup", folder)
    add_photo(3)
    assert "2 files were new" in run("backup", folder), "the photo and its thumbnail"
    before = stored()
    monkeypatch.setattr(settings, "STORAGE_URL", f"file://{tmp_path / 'elsewhere'}")
    run("restore", folder, "--yes")
    assert stored() == before
    assert Image.objects.count() == 3


def test_nothing_that_a_dump_names_is_removed_before_it_is_copied(worked_on, live, tmp_path, monkeypatch):
    """The encoder serves no more, so its embeddings are to be dropped: not before the backup is whole."""
    Deployment.objects.update(until=Now() - timedelta(days=8))
    embedding = Embedding.objects.first()
    copy = backup._copy

    def meanwhile(storage, into: Path) -> int:
        with_another_connection(lambda: embedding_drop(embedding_id=embedding.id))
        storage.put("images/nobodys", b"x")
        with pytest.raises(CommandError, match="A backup is being made"):
            raise_there(lambda: run("sweep_storage", "--yes"))
        return copy(storage, into)

    monkeypatch.setattr(backup, "_copy", meanwhile)
    run("backup", tmp_path / "backup")
    assert (tmp_path / "backup" / "storage" / embedding.storage_key).is_file()
    assert Embedding.objects.get(id=embedding.id).state == "ready"
    assert embedding_drop(embedding_id=embedding.id), "afterwards it goes"
    with nothing_is_removed():
        pass


def test_a_bucket_is_not_copied_and_it_is_said_so(worked_on, tmp_path, monkeypatch):
    monkeypatch.setattr(backup, "get_storage", lambda: object())
    assert "The files are NOT" in run("backup", tmp_path / "backup")
    assert (tmp_path / "backup" / "database.dump").is_file()


def test_without_a_backup_that_can_be_read_nothing_is_touched(worked_on, tmp_path):
    with pytest.raises(CommandError, match="holds no backup"):
        run("restore", tmp_path, "--yes")
    (tmp_path / "database.dump").write_bytes(b"PGDMP, but cut short")
    with pytest.raises(CommandError, match="pg_restore"):
        run("restore", tmp_path, "--yes")
    assert Dataset.objects.filter(id=worked_on.id).exists()


def raise_there(do) -> None:
    """In a thread, whose connection is another one; what it raises is raised here."""
    raised: list[BaseException] = []

    def caught() -> None:
        try:
            do()
        except BaseException as error:
            raised.append(error)

    with_another_connection(caught)
    if raised:
        raise raised[0]
