"""What the engine is told of a dataset's photos."""

import errno
import json
import math
import os
import shutil
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from backend.annotation.models import Mask
from backend.common.storage import Missing, get_storage, read
from backend.datasets.imaging import read_pixels
from backend.datasets.models import Image, Split
from backend.training.claims import TRAINING, claim_take
from backend.training.manifest import write_manifest
from backend.training.work import Work
from engine.data.records import read_records
from tests.backend.conftest import mask_body


def test_only_what_a_person_called_complete_is_complete_for_the_engine(annotator, add_photo, label, live, tmp_path):
    add_photo(1), add_photo(2)
    photos = [label(annotator), label(annotator)]
    rows = [(photo, list(Mask.objects.filter(image=photo))) for photo in photos]
    write_manifest(tmp_path / "data", rows, encoder_hash=live.encoder_hash, complete={photos[0].id})
    lines = (tmp_path / "data" / "manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["complete"] for line in lines] == [True, None]
    said = {record.name: record.complete for record in read_records(tmp_path / "data")}
    assert said == {str(photos[0].id): True, str(photos[1].id): None}


@pytest.fixture
def learnt(dataset, admin, as_user, tmp_path):
    """Ask for a run; the lines of what its engine would read, by photo."""

    def lines():
        reply = as_user(admin).post(
            f"/api/datasets/{dataset.id}/training-runs/", {"recipe": "debug_decoder"}, format="json"
        )
        assert reply.status_code == 201, reply.content
        folder, _ = Work(claim_take(TRAINING, reply.json()["id"]), tmp_path)._manifests()
        told = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
        return {line["id"]: line for line in told}

    return lines


@pytest.mark.parametrize(
    ("origin", "weight"), [("assisted", 10), ("brush", 10), ("imported", 10), ("proposed", 10), ("automatic", 1)]
)
def test_a_run_draws_what_people_made_or_accepted_ten_times_as_often_as_what_nobody_looked_at(
    annotator, photo, label, learnt, origin, weight
):
    label(annotator)
    Mask.objects.update(origin=origin)
    assert learnt()[str(photo.id)]["weights"] == [weight]


@pytest.mark.parametrize(
    ("changes", "pick"),
    [
        ({}, {"prompt": [30.5, 20.5], "token": 2}),
        ({"prompts": [{"kind": "box", "box": [1, 2, 30, 40]}]}, {"prompt": [1, 2, 30, 40], "token": 2}),
        (
            {"prompts": [{"kind": "point", "at": [30.5, 20.5], "label": label} for label in (1, 0)]},
            {"prompt": [30.5, 20.5], "token": 2},
        ),
        ({"choice": None}, None),
        ({"origin": "brush"}, None),
    ],
)
def test_a_run_learns_which_of_the_three_masks_a_person_picked_for_the_first_prompt(
    annotator, as_user, photo, take, learnt, changes, pick
):
    held, client, mask = take(annotator), as_user(annotator), str(uuid4())
    body = {**mask_body(held, choice=2), **changes}
    assert client.put(f"/api/masks/{mask}/", body, format="json").status_code == 201
    assert client.post(f"/api/assignments/{held.id}/submit/", {"masks": [mask]}, format="json").status_code == 204
    assert learnt()[str(photo.id)]["picks"] == [pick]


def test_a_run_learns_nothing_from_photos_of_the_test_and_of_the_holdout(annotator, add_photo, label, learnt):
    photos = {split: add_photo(seed, split=split) for seed, split in enumerate(Split)}
    for _ in photos:
        label(annotator)
    assert Mask.objects.filter(image__split=Split.HOLDOUT).count() == 1
    assert set(learnt()) == {str(photos[Split.TRAIN].id)}


def test_the_engine_is_told_which_photos_are_of_one_scene(annotator, add_photo, label, live, tmp_path):
    add_photo(1), add_photo(2)
    photos = [label(annotator), label(annotator)]
    Image.objects.filter(id=photos[0].id).update(group="street")
    rows = [(photo, []) for photo in Image.objects.filter(id__in=[photo.id for photo in photos])]
    write_manifest(tmp_path / "data", rows, encoder_hash=live.encoder_hash)
    said = {record.name: record.group for record in read_records(tmp_path / "data")}
    assert said == {str(photos[0].id): "street", str(photos[1].id): photos[1].content_hash}


def test_a_pick_is_of_the_first_prompt_whatever_refined_the_mask_since(annotator, photo, label, live, tmp_path):
    label(annotator)
    first, then = ({"kind": "point", "at": [x, 3.5], "label": label} for x, label in ((2.5, 1), (8.5, 0)))
    masks = Mask.objects.filter(image=photo)
    masks.update(prompts=[first, then], choice=2, origin="assisted")
    write_manifest(tmp_path / "data", [(photo, list(masks))], encoder_hash=live.encoder_hash)
    (line,) = (tmp_path / "data" / "manifest.jsonl").read_text().splitlines()
    assert json.loads(line)["picks"] == [{"prompt": [2.5, 3.5], "token": 2}] * len(masks)


def test_an_embedding_whose_copying_was_cut_short_is_copied_again(annotator, photo, label, live, tmp_path, monkeypatch):
    label(annotator)
    rows = [(photo, list(Mask.objects.filter(image=photo)))]
    monkeypatch.setattr(os, "link", _refuse)  # as between two disks
    with monkeypatch.context() as killed:
        killed.setattr(shutil, "copyfile", lambda _, to: Path(to).write_bytes(b"begun") and _killed())
        with pytest.raises(KeyboardInterrupt):
            write_manifest(tmp_path, rows, encoder_hash=live.encoder_hash)
    write_manifest(tmp_path, rows, encoder_hash=live.encoder_hash)
    (embedding,) = tmp_path.glob("*.f16")
    assert embedding.stat().st_size == 2 * math.prod(live.embedding_shape)


def test_what_lies_on_the_workers_own_disk_is_not_copied_and_outlives_the_work(photo, annotator, label, tmp_path):
    label(annotator)
    stored, storage = read(photo.display_key), get_storage()
    left_half = tmp_path / f"{photo.content_hash}.photo.{os.getpid()}.part"
    with storage.local(photo.display_key) as original:
        os.link(original, left_half)  # by one who died before its renaming
        write_manifest(tmp_path, [(photo, list(Mask.objects.filter(image=photo)))], encoder_hash=None)
        (placed,) = tmp_path.glob("*.photo")
        assert placed.samefile(original)
    placed.unlink()
    assert read(photo.display_key) == stored


def test_between_two_disks_it_is_copied_and_the_stored_one_is_never_written_to(photo, tmp_path, monkeypatch):
    stored, storage, placed = read(photo.display_key), get_storage(), tmp_path / "placed"
    storage.place(photo.display_key, placed)
    monkeypatch.setattr(os, "link", _refuse)
    monkeypatch.setattr(shutil, "copyfile", lambda _, to: Path(to).write_bytes(b"other"))
    storage.place(photo.display_key, placed)
    assert (placed.read_bytes(), read(photo.display_key)) == (b"other", stored)
    with pytest.raises(Missing):
        storage.place("images/none", placed)


def test_whoever_learns_the_encoder_gets_the_photos_themselves(annotator, add_photo, label, tmp_path):
    add_photo(1)
    photo = label(annotator)
    masks = list(Mask.objects.filter(image=photo))
    write_manifest(tmp_path, [(photo, masks)], encoder_hash=None)
    (record,) = read_records(tmp_path)
    assert record.embedding is None
    np.testing.assert_array_equal(record.pixels(), read_pixels(read(photo.display_key)))
    assert len(record.read_masks()) == len(masks)


def _refuse(*_):
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


def _killed():
    raise KeyboardInterrupt
