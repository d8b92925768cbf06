"""manage.py import_masks."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from PIL import Image as Pillow

from backend.annotation import importing
from backend.annotation.models import Mask, Origin
from backend.datasets.models import Image
from engine import masks as run_lengths
from tests.backend.conftest import disc


@pytest.fixture
def label_maps(tmp_path, photo):
    folder = tmp_path / "street" / "masks"
    folder.mkdir(parents=True)
    labels = np.zeros(photo.size, np.uint16)
    labels[disc(photo, x=0.3)] = 1
    labels[disc(photo, x=0.7)] = 300  # more than 8 bits hold
    Pillow.fromarray(labels).save(folder / f"{Path(photo.file_name).stem}.png")
    return folder.parent, labels


def test_label_maps_become_masks_and_a_second_import_adds_nothing(dataset, photo, label_maps):
    source, labels = label_maps
    for _ in range(2):
        call_command("import_masks", str(dataset.id), str(source))
    masks = Mask.objects.filter(image=photo, origin=Origin.IMPORTED)
    stored = [run_lengths.decode({"size": list(photo.size), "counts": mask.counts}) for mask in masks]
    assert sorted(int(mask.sum()) for mask in stored) == sorted(int((labels == v).sum()) for v in (1, 300))
    assert len(stored) == 2
    photo.refresh_from_db()
    assert photo.annotated_at is None


def test_complete_says_that_nothing_is_left_to_label(dataset, photo, label_maps):
    call_command("import_masks", "Street", str(label_maps[0]), "--complete")
    photo.refresh_from_db()
    assert photo.annotated_at is not None


def test_coco_polygons_and_run_lengths_become_masks(dataset, photo, tmp_path):
    drawn = disc(photo)
    runs = [
        int(v) for v in np.diff(np.flatnonzero(np.diff(drawn.T.ravel().astype(int), prepend=0, append=0)), prepend=0)
    ]
    numbers = [*runs, drawn.size - sum(runs)]
    content = {
        "images": [{"id": 7, "file_name": photo.file_name, "height": photo.height, "width": photo.width}],
        "annotations": [
            {"image_id": 7, "segmentation": [[10, 10, 30, 10, 30, 20, 10, 20]]},
            {"image_id": 7, "segmentation": {"size": list(photo.size), "counts": numbers}},
        ],
    }
    (tmp_path / "coco.json").write_text(json.dumps(content))
    call_command("import_masks", str(dataset.id), str(tmp_path / "coco.json"))
    assert sorted(Mask.objects.values_list("area", flat=True)) == sorted([200, int(drawn.sum())])


def test_a_mask_of_another_size_is_refused_and_named(dataset, photo, tmp_path, capsys):
    Pillow.fromarray(np.ones((9, 9), np.uint8)).save(tmp_path / f"{Path(photo.file_name).stem}.png")
    Pillow.fromarray(np.ones((9, 9), np.uint8)).save(tmp_path / "nobody.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(CommandError, match="Nothing was imported"):
        call_command("import_masks", str(dataset.id), str(tmp_path))
    said = capsys.readouterr().err
    assert "9 x 9 px, the photo is 40 x 60" in said
    assert "nobody: there is no such photo" in said
    assert "broken: there is no such photo" in said
    assert not Mask.objects.exists()


def test_photos_are_looked_for_once_and_found_by_their_names_without_folder_and_ending(
    dataset, add_photo, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(importing, "NAMES_AT_ONCE", 7)
    called = {
        "a": "a.jpg", "b.c": "folder/b.c.png", ".d": ".d", "e": "e", "f%_": "f%_.jpg", "g\\": "g\\.jpg", "twice": "twice.jpg",
    }  # fmt: skip
    photos = {name: add_photo(seed) for seed, name in enumerate(called)}
    for name, photo in photos.items():
        Image.objects.filter(id=photo.id).update(file_name=called[name])
    for seed, other in enumerate(("aa.jpg", "a.b.jpg", "fxx.jpg", "folder/twice.png")):
        Image.objects.filter(id=add_photo(20 + seed).id).update(file_name=other)
    (tmp_path / "masks").mkdir()
    for name, photo in photos.items():
        Pillow.fromarray(disc(photo).astype(np.uint8)).save(tmp_path / "masks" / f"{name}.png")
    with CaptureQueriesContext(connection) as asked:
        call_command("import_masks", str(dataset.id), str(tmp_path))
    assert sum("regexp_replace" in query["sql"] for query in asked) == 1
    assert not [query for query in asked if "LIKE" in query["sql"]]
    labelled = set(Mask.objects.values_list("image", flat=True))
    assert labelled == {photo.id for name, photo in photos.items() if name != "twice"}
    assert "twice: 2 photos of the dataset have this name" in capsys.readouterr().err


def test_a_source_that_is_neither_is_a_clear_error(dataset, tmp_path):
    (tmp_path / "x.json").write_text("[1, 2]")
    with pytest.raises(CommandError, match="not a COCO json"):
        call_command("import_masks", str(dataset.id), str(tmp_path / "x.json"))
    with pytest.raises(CommandError, match="no label maps"):
        call_command("import_masks", str(dataset.id), str(tmp_path))


def sent(client, dataset, name: str, content: bytes, **fields: str):
    file = SimpleUploadedFile(name, content)
    return client.post(f"/api/datasets/{dataset.id}/masks/", {"file": file, **fields}, format="multipart")


def test_the_page_sends_a_label_map_and_the_same_again_adds_nothing(dataset, photo, label_maps, as_user, admin):
    (file,) = (label_maps[0] / "masks").iterdir()
    for added in (2, 0):
        reply = sent(as_user(admin), dataset, file.name, file.read_bytes())
        assert reply.status_code == 201
        assert reply.json() == {"added": added, "already_there": 2 - added, "refused": []}
    photo.refresh_from_db()
    assert photo.annotated_at is None
    sent(as_user(admin), dataset, file.name, file.read_bytes(), complete="true")
    photo.refresh_from_db()
    assert photo.complete_at is not None


def test_what_a_json_says_of_each_photo_is_taken_or_refused_by_itself(dataset, photo, as_user, admin):
    def entry(number: int, name: str, height: int, segmentation: object) -> tuple[dict, dict]:
        image = {"id": number, "file_name": name, "height": height, "width": photo.width}
        return image, {"image_id": number, "segmentation": segmentation}

    box = [[10, 10, 30, 10, 30, 20, 10, 20]]
    entries = [
        entry(1, photo.file_name, photo.height, box),
        entry(2, "nobody.jpg", photo.height, box),
        entry(3, f"elsewhere/{photo.file_name}", 1_000_000_000, box),  # nothing of that size is decoded
        entry(4, f"again/{photo.file_name}", photo.height, "no segmentation"),
    ]
    content = {"images": [image for image, _ in entries], "annotations": [one for _, one in entries]}
    reply = sent(as_user(admin), dataset, "coco.json", json.dumps(content).encode())
    assert (reply.status_code, reply.json()["added"]) == (201, 1)
    refused = {refusal["name"]: refusal["message"] for refusal in reply.json()["refused"]}
    assert refused.keys() == {image["file_name"] for image, _ in entries[1:]}
    assert "no such photo" in refused["nobody.jpg"]
    assert "1000000000" in refused[f"elsewhere/{photo.file_name}"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("masks.zip", b"PK", "neither a label map"),
        ("../../x.json", b"[1]", "x.json is not a COCO json"),
        ("x.json", b"[" * 100_000, "not a COCO json"),
        ("x.json", b'{"images": [], "annotations": [{"image_id": 1}]}', "not a COCO json"),
    ],
)
def test_what_is_no_file_of_masks_is_refused_in_a_sentence(dataset, as_user, admin, name, content, said):
    reply = sent(as_user(admin), dataset, name, content)
    assert reply.status_code == 400
    assert said in reply.json()["message"]


def test_a_label_map_that_is_none_is_refused_by_name(dataset, photo, as_user, admin, settings):
    stem = Path(photo.file_name).stem
    picture = io.BytesIO()
    Pillow.fromarray(np.zeros((*photo.size, 3), np.uint8)).save(picture, "PNG")
    cut = picture.getvalue()[:60]
    for content in (picture.getvalue(), cut, b"no picture"):
        (refusal,) = sent(as_user(admin), dataset, f"{stem}.png", content).json()["refused"]
        assert refusal["message"].startswith(f"{stem}.png: ")
    settings.MAX_MASK_FILE_BYTES = 10
    assert "larger than" in sent(as_user(admin), dataset, f"{stem}.png", picture.getvalue()).json()["message"]
    assert not Mask.objects.exists()


def test_only_admins_import_masks(dataset, photo, as_user, annotator, reviewer, stranger):
    for person, status in ((annotator, 403), (reviewer, 403), (stranger, 404)):
        assert sent(as_user(person), dataset, "x.json", b"{}").status_code == status
