"""manage.py import_masks."""

import json
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image as Pillow

from backend.annotation.models import Mask, Origin
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
    assert "broken.png" in said
    assert not Mask.objects.exists()


def test_a_source_that_is_neither_is_a_clear_error(dataset, tmp_path):
    (tmp_path / "x.json").write_text("[1, 2]")
    with pytest.raises(CommandError, match="not a COCO json"):
        call_command("import_masks", str(dataset.id), str(tmp_path / "x.json"))
    with pytest.raises(CommandError, match="no label maps"):
        call_command("import_masks", str(dataset.id), str(tmp_path))
