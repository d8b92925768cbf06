"""What is deleted is gone, rows and bytes, and what others have stays."""

import io
import threading
from uuid import uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.db.models.functions import Now

from backend.annotation.models import Mask
from backend.annotation.overlays import overlay_ensure
from backend.autolabel.models import Detector
from backend.checkpoints.models import Checkpoint, Deployment
from backend.checkpoints.services import checkpoint_register
from backend.common import keeping
from backend.common.keeping import lock_bytes
from backend.common.models import Event
from backend.common.storage import FolderStorage, get_storage
from backend.datasets.models import Dataset, Image, Invitation, Membership
from backend.datasets.services import dataset_create, image_import
from backend.inference.models import Embedding
from backend.inference.services import embedding_make, embedding_ready
from backend.insights import deleting, stored
from backend.insights.deleting import photo_delete
from backend.insights.stored import bytes_sweep
from backend.releases.models import FrozenMask, FrozenSet, Release
from backend.releases.services import release_request, release_write
from backend.training.models import DetectorRun, Evaluation, TrainingRun
from backend.training.services import training_run_request
from engine.model.build import build_model
from engine.model.checkpoint import save_checkpoint
from tests.backend.conftest import until_somebody_waits_for_a_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_storage(tmp_path, monkeypatch):
    """What tests before left there is nobody's."""
    monkeypatch.setattr(settings, "STORAGE_URL", f"file://{tmp_path / 'storage'}")


def stored_keys() -> set[str]:
    return {key for prefix in (*stored.NAMED_BY, stored.RELEASES) for key in get_storage().keys(prefix)}


def run(*arguments) -> str:
    out = io.StringIO()
    call_command(*map(str, arguments), "--yes", stdout=out)
    return out.getvalue()


@pytest.fixture
def model_of(tmp_path):
    """A model of a dataset's own."""

    def make(dataset, name="Street 1", parent=None):
        file = tmp_path / f"{uuid4()}.safetensors"
        model = build_model("maskloop_debug")
        save_checkpoint(model, file, recipe="none")
        return checkpoint_register(file=file, name=name, dataset=dataset, parent=parent)

    return make


@pytest.fixture
def released(dataset, admin, annotator, add_photo, label):
    add_photo(1), add_photo(2)
    label(annotator, masks=2), label(annotator, masks=1)
    release = release_request(dataset=dataset, by=admin, format_name="sa1b", options={})
    release_write(release_id=release.id)
    release.refresh_from_db()
    assert release.state == "ready"
    return release


@pytest.fixture
def worked_on(dataset, admin, live, released, model_of):
    """A dataset with something of nearly every kind."""
    trained = model_of(dataset, parent=live)
    learnt = released.frozen_set
    TrainingRun.objects.create(
        dataset=dataset, frozen_set=learnt, base=live, candidate=trained, recipe="decoder", seed=7, state="done"
    )
    Evaluation.objects.create(dataset=dataset, checkpoint=trained, split="test", photos={})
    Checkpoint.objects.filter(id=live.id).update(scores={str(dataset.id): {"test": {}}, str(uuid4()): {"test": {}}})
    get_storage().put("detectors/one.safetensors", b"a detector")
    detector = Detector.objects.create(
        dataset=dataset, encoder_hash="e", decoder_hash="d", detector_hash="h", storage_key="detectors/one.safetensors",
        training={}, thresholds=[],
    )  # fmt: skip
    DetectorRun.objects.create(dataset=dataset, frozen_set=learnt, checkpoint=live, detector=detector, state="done")
    for image in Image.objects.filter(dataset=dataset):
        embedding_ready(image=image, encoder_hash=live.encoder_hash)
        overlay_ensure(image=image, masks=list(image.masks.all()))
    return dataset


def rows_about(dataset_id, image_ids) -> list[str]:
    """Of every table, those that name the dataset or one of its photos."""
    found = []
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            to = field.related_model
            ids = [dataset_id] if to is Dataset or field.name == "dataset_id" else image_ids if to is Image else []
            if ids and model._default_manager.filter(**{f"{field.name}__in": ids}).exists():
                found.append(f"{model._meta.label}.{field.name}")
    return found


def test_of_a_deleted_dataset_no_row_and_no_byte_is_left_and_another_with_the_same_photo_keeps_its_own(
    worked_on, stranger, jpeg, live
):
    own = list(Image.objects.filter(dataset=worked_on).values_list("id", flat=True))
    theirs = dataset_create(creator=stranger, name="Their own")
    same, _ = image_import(dataset=theirs, file_name="same.jpg", content=jpeg(seed=1), by=stranger)
    embedding = embedding_ready(image=same, encoder_hash=live.encoder_hash)
    assert rows_about(worked_on.id, own)

    said = run("delete_dataset", worked_on.id)

    assert "2 photos, 3 masks, 1 models, 1 training runs, 1 releases" in said
    assert rows_about(worked_on.id, own) == []
    assert not Mask.objects.exists()
    assert not FrozenMask.objects.exists()
    assert stored_keys() == {
        same.original_key, same.thumbnail_key, embedding.storage_key, live.storage_key,
        *Checkpoint.objects.exclude(decoder_key="").values_list("decoder_key", flat=True),
    }  # fmt: skip
    live.refresh_from_db()
    assert str(worked_on.id) not in live.scores, "its figures on the other dataset stay"
    assert len(live.scores) == 1
    event = Event.objects.get(kind="dataset.deleted")
    assert (event.dataset_id, event.data["photos"], event.data["name"]) == (None, 2, worked_on.name)


def test_a_model_that_another_dataset_works_with_becomes_that_datasets_own(dataset, stranger, model_of):
    theirs = dataset_create(creator=stranger, name="Their own")
    shared, unused = model_of(dataset, "shared"), model_of(dataset, "unused")
    further = model_of(theirs, "further", parent=unused)
    Deployment.objects.filter(dataset=theirs).update(until=Now())
    Deployment.objects.create(dataset=theirs, checkpoint=shared, reason="by hand")
    run("delete_dataset", dataset.id)
    shared.refresh_from_db(), further.refresh_from_db()
    assert shared.dataset == theirs
    assert get_storage().size(shared.storage_key)
    assert further.parent is None
    assert not Checkpoint.objects.filter(id=unused.id).exists()
    assert get_storage().size(unused.storage_key) is None


def test_a_deletion_that_was_killed_is_begun_again(worked_on, monkeypatch):
    monkeypatch.setattr(deleting, "PHOTOS_AT_ONCE", 1)
    lock, done = deleting._lock, []

    def dies(images):
        if done:
            raise KeyboardInterrupt
        done.append(images)
        lock(images)

    monkeypatch.setattr(deleting, "_lock", dies)
    with pytest.raises(KeyboardInterrupt):
        run("delete_dataset", worked_on.id)
    assert Image.objects.filter(dataset=worked_on).count() == 1
    assert not Membership.objects.filter(dataset=worked_on).exists(), "nobody works in it meanwhile"
    monkeypatch.setattr(deleting, "_lock", lock)
    run("delete_dataset", worked_on.id)
    assert not Dataset.objects.filter(id=worked_on.id).exists()


@pytest.mark.parametrize("what", ["training", "detector", "release"])
def test_what_is_being_trained_or_written_is_not_taken_away_under_it(worked_on, released, what, admin):
    if what == "training":
        TrainingRun.objects.update(state="training")
    elif what == "detector":
        DetectorRun.objects.update(state="training")
    else:
        Release.objects.update(state="writing")
    photo = Image.objects.filter(dataset=worked_on).first()
    commands = [("delete_dataset", worked_on.id), ("delete_photo", worked_on.id, photo.id)]
    for command in commands + [("delete_release", worked_on.id, 1)] * (what == "release"):
        with pytest.raises(CommandError, match="being"):
            run(*command)
    assert Image.objects.filter(dataset=worked_on).count() == 2
    assert Membership.objects.filter(dataset=worked_on).exists()


@pytest.mark.parametrize("what", ["release", "training"])
def test_no_photo_goes_while_its_masks_are_frozen_and_what_was_asked_for_has_them(released, dataset, admin, what):
    photo = Image.objects.filter(dataset=dataset).first()
    refused = []

    def delete() -> None:
        for command in (("delete_photo", dataset.id, photo.id), ("delete_dataset", dataset.id)):
            with pytest.raises(CommandError, match="being listed, for a release or a training; wait") as refusal:
                run(*command)
            refused.append(refusal)

    def listed(execute, sql, *arguments):
        done = execute(sql, *arguments)
        if sql.startswith(f'INSERT INTO "{FrozenMask._meta.db_table}"'):
            with_another_connection(delete)
        return done

    with connection.execute_wrapper(listed):
        frozen = freeze(what, dataset, admin)
    assert len(refused) == 2
    assert frozen.members.count() == frozen.mask_count == 3
    with pytest.raises(CommandError, match="is being"):
        run("delete_photo", dataset.id, photo.id)


@pytest.mark.parametrize("what", ["release", "training"])
def test_whoever_freezes_masks_waits_for_a_photo_that_is_being_deleted_and_has_what_is_left(
    released, dataset, admin, what
):
    photo = Image.objects.filter(dataset=dataset, masks__isnull=False).first()
    left = Mask.objects.exclude(image=photo).count()
    asking = threading.Thread(target=closing, args=(lambda: freeze(what, dataset, admin),))
    with transaction.atomic():
        photo_delete(image=photo)
        asking.start()
        until_somebody_waits_for_a_row()
    asking.join()
    frozen = FrozenSet.objects.latest("created_at")
    assert frozen.members.count() == frozen.mask_count == left > 0


@pytest.mark.parametrize("what", ["release", "training"])
def test_what_began_while_a_dataset_was_closed_keeps_its_masks_and_the_command_says_what_it_is(
    released, dataset, admin, what, monkeypatch
):
    hand_on, frozen = deleting._hand_on_models, []

    def late(closed) -> None:
        hand_on(closed)
        frozen.append(freeze(what, dataset, admin))

    monkeypatch.setattr(deleting, "_hand_on_models", late)
    with pytest.raises(CommandError, match=r"is being (written|trained)"):
        run("delete_dataset", dataset.id)
    assert frozen[0].members.count() == frozen[0].mask_count == 3


def freeze(what, dataset, admin) -> FrozenSet:
    if what == "training":
        return training_run_request(dataset=dataset, by=admin, recipe="debug_decoder").frozen_set
    return release_request(dataset=dataset, by=admin, format_name="sa1b", options={}).frozen_set


def test_it_says_what_will_be_lost_and_asks(dataset, photo, monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr("builtins.input", lambda words: "y")
    with pytest.raises(CommandError, match="Nothing was deleted"):
        call_command("delete_dataset", dataset.name, stdout=out)
    assert "The dataset Street will be deleted: 1 photos, 0 masks" in out.getvalue()
    assert Image.objects.exists()


def test_a_deleted_photo_leaves_frozen_sets_and_an_event_says_so(worked_on, released):
    photo = Image.objects.filter(dataset=worked_on, masks__isnull=False).order_by("-created_at").first()
    ids = set(photo.masks.values_list("id", flat=True))
    Evaluation.objects.update(photos={str(photo.id): {}, "another": {}})
    TrainingRun.objects.update(examples=[{"photo": str(photo.id)}, {"photo": "another"}])
    key, kept = photo.original_key, Image.objects.exclude(id=photo.id).get()

    said = run("delete_photo", worked_on.name, photo.file_name)

    assert "releases, until you delete them, too: 1" in said
    assert rows_about(uuid4(), [photo.id]) == []
    assert not Mask.objects.filter(id__in=ids).exists()
    assert FrozenMask.objects.count() == 3 - len(ids)
    assert FrozenSet.objects.get().mask_count == 3, "what was frozen then is still known"
    assert get_storage().size(key) is None
    assert get_storage().size(kept.original_key)
    assert list(Evaluation.objects.get().photos) == ["another"]
    assert TrainingRun.objects.get().examples == [{"photo": "another"}]
    event = Event.objects.get(kind="photo.deleted")
    assert (event.dataset_id, event.data["frozen_sets"]) == (worked_on.id, [str(released.frozen_set_id)])
    assert (event.data["frozen_masks"], event.data["releases"]) == (len(ids), [1])
    with pytest.raises(CommandError, match="0 photos"):
        run("delete_photo", worked_on.name, photo.file_name)


def test_a_deleted_release_goes_with_its_files_and_its_number_is_not_given_again(released, dataset, admin):
    with pytest.raises(CommandError, match="there are: 1"):
        run("delete_release", dataset.id, 2)
    run("delete_release", dataset.id, 1)
    assert not Release.objects.exists()
    assert not FrozenSet.objects.exists()
    assert Mask.objects.count() == 3
    assert [key for key in stored_keys() if key.startswith("releases/")] == []
    assert release_request(dataset=dataset, by=admin, format_name="coco", options={}).number == 2


def test_files_of_another_release_and_of_one_that_is_being_written_stay(released, dataset, admin):
    get_storage().put("releases/abc/half.tar", b"uploaded before its release names it")
    unwritten = release_request(dataset=dataset, by=admin, format_name="coco", options={})
    before = stored_keys()
    bytes_sweep()
    assert {key for key in before if key.startswith("releases/")} <= stored_keys()
    release_write(release_id=unwritten.id)
    bytes_sweep()
    left = {key for key in stored_keys() if key.startswith("releases/")}
    assert left == {file["storage_key"] for release in Release.objects.all() for file in release.files}


def test_a_sweep_takes_nothing_that_is_being_imported(dataset, admin, jpeg, monkeypatch):
    """The photo's bytes lay there from a dataset that was deleted; they are swept away when the import has just found them."""
    content = jpeg(seed=4)
    gone, _ = image_import(dataset=dataset, file_name="old.jpg", content=content, by=admin)
    Image.objects.all().delete()
    keep = keeping.keep_bytes

    def swept_first(contents):
        with_another_connection(bytes_sweep)
        assert get_storage().size(gone.original_key) is None
        keep(contents)

    monkeypatch.setattr("backend.datasets.services.keep_bytes", swept_first)
    image, _ = image_import(dataset=dataset, file_name="new.jpg", content=content, by=admin)
    assert get_storage().size(image.original_key)
    assert get_storage().size(image.thumbnail_key)


def test_a_sweep_waits_for_an_import_and_then_leaves_its_bytes(dataset, admin, jpeg):
    image, _ = image_import(dataset=dataset, file_name="old.jpg", content=jpeg(seed=5), by=admin)
    row = Image.objects.get(id=image.id)
    Image.objects.all().delete()
    with transaction.atomic():
        lock_bytes(image.original_key)
        sweeping = threading.Thread(target=closing, args=(bytes_sweep,))
        sweeping.start()
        until_somebody_waits_for_a_row()
        row.save(force_insert=True)
    sweeping.join()
    assert get_storage().size(image.original_key)


def test_what_others_put_there_and_what_is_half_written_stays(tmp_path):
    storage = get_storage()
    assert isinstance(storage, FolderStorage)
    storage.put("notes/mine.txt", b"mine")
    storage.put("images/nobodys", b"x")
    unfinished = storage.folder / ".unfinished" / "half"
    unfinished.write_bytes(b"half")
    assert run("sweep_storage").splitlines()[-1].startswith("1 files")
    assert storage.size("notes/mine.txt") == 4
    assert unfinished.exists()


def test_a_sweep_says_how_many_files_go_and_removes_none_before_somebody_says_yes(monkeypatch):
    storage = get_storage()
    storage.put("images/nobodys", b"x")
    asked = iter(["no", "yes"])
    monkeypatch.setattr("builtins.input", lambda _: next(asked))
    with pytest.raises(CommandError, match="Nothing was deleted"):
        call_command("sweep_storage", stdout=io.StringIO())
    assert storage.size("images/nobodys") == 1
    out = io.StringIO()
    call_command("sweep_storage", stdout=out)
    assert out.getvalue().startswith("1 files that nothing names any more will be removed.")
    assert storage.size("images/nobodys") is None


def test_a_call_for_an_embedding_of_a_photo_that_is_gone_is_no_error(photo, live):
    embedding = Embedding.objects.create(image=photo, encoder_hash=live.encoder_hash)
    run("delete_photo", photo.dataset_id, photo.id)
    embedding_make(embedding_id=embedding.id)
    assert not Embedding.objects.exists()


def test_who_invited_and_was_invited_stays(dataset, admin, annotator):
    Invitation.objects.create(dataset=dataset, role="annotator", token_hash="t", created_by=admin, expires_at=Now())
    run("delete_dataset", dataset.name)
    for person in (admin, annotator):
        person.refresh_from_db()


def with_another_connection(do):
    thread = threading.Thread(target=closing, args=(do,))
    thread.start()
    thread.join()


def closing(do):
    try:
        do()
    finally:
        connection.close()
