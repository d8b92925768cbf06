"""What is read of photos and masks as people have them, and what is refused, by name."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from engine.cli import main
from engine.data.records import Record, read_records
from engine.data.sources import EmbeddingSource
from engine.errors import DataInvalid
from engine.masks import encode
from tests.conftest import scene

TURNED_BY_A_QUARTER = 6  # EXIF: how a phone that was held upright writes its photos
DISC = encode(scene(48, 64, 0)[1][0])


@pytest.fixture
def coco(tmp_path):
    """A COCO json of these photos and annotations, with the photos beside it, 48 x 64 px as they lie in their files."""

    def make(images, annotations, exif=None):
        folder = tmp_path / "coco"
        for image in images:
            name = image.get("file_name") or image["coco_url"].rpartition("/")[2]
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(scene(48, 64, image["id"])[0]).save(
                folder / name, **({} if exif is None else {"exif": exif})
            )
        content = {"images": [{"height": 48, "width": 64} | image for image in images], "annotations": annotations}
        (folder / "a.json").write_text(json.dumps(content))
        return folder / "a.json"

    return make


@pytest.fixture
def turned(coco):
    """Photos that are upright only after their EXIF has been read, with masks of them as they lie in their files."""
    exif = Image.Exif()
    exif[0x0112] = TURNED_BY_A_QUARTER
    photos = [{"id": number, "file_name": f"phone-{number}.jpg", "complete": True} for number in range(6)]
    return coco(photos, [{"image_id": number, "segmentation": DISC} for number in range(6)], exif)


@pytest.mark.parametrize(
    "command",
    [
        ("train", "debug", "--threads", "1", "--out", "{tmp}/x"),
        ("detector", "train", "--checkpoint", "{weights}", "--threads", "1", "--out", "{tmp}/x"),
        ("pack", "--side", "64", "--hold-out", "0.5", "--out", "{tmp}/x"),
        ("evaluate", "clicks", "--checkpoint", "{weights}", "--threads", "1"),
        ("compositions", "--out", "{tmp}/x"),
    ],
)
def test_masks_of_another_size_are_stretched_onto_no_photo_but_refused_by_its_name(
    turned, weights, tmp_path, capsys, command
):
    given = [part.format(tmp=tmp_path, weights=weights) for part in command]
    assert main([*given, "--data", str(turned)]) == 2
    assert re.search(r"phone-\d: a mask is 48 x 64 px, its photo 64 x 48 px", capsys.readouterr().err)


def test_masks_of_another_size_than_a_stored_embeddings_photo_are_refused_by_its_name(tmp_path):
    np.zeros((32, 8, 8), np.float16).tofile(tmp_path / "a.f16")
    record = Record("stored", None, lambda: [np.ones((48, 64), bool)], embedding=tmp_path / "a.f16", size=(64, 48))
    with pytest.raises(DataInvalid, match="stored: a mask is 48 x 64 px, its photo 64 x 48 px"):
        EmbeddingSource([record], (32, 8, 8), 64)
    EmbeddingSource([replace(record, size=(48, 64))], (32, 8, 8), 64)


def test_a_mask_that_cannot_be_read_is_told_of_with_its_photos_name(tmp_path):
    entry = {"id": "broken", "size": [48, 64], "masks": [DISC | {"counts": "nothing of the kind"}]}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(entry) + "\n")
    (record,) = read_records(tmp_path)
    with pytest.raises(DataInvalid, match="broken: run lengths"):
        record.masks((48, 64))
