"""What the engine is told of a dataset's photos."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from backend.annotation.models import Mask
from backend.common.storage import read
from backend.datasets.imaging import read_pixels
from backend.training.manifest import write_manifest
from engine.data.records import read_records


def test_only_what_a_person_called_complete_is_complete_for_the_engine(annotator, add_photo, label, live, tmp_path):
    add_photo(1), add_photo(2)
    photos = [label(annotator), label(annotator)]
    rows = [(photo, list(Mask.objects.filter(image=photo))) for photo in photos]
    write_manifest(tmp_path / "data", rows, encoder_hash=live.encoder_hash, complete={photos[0].id})
    lines = (tmp_path / "data" / "manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["complete"] for line in lines] == [True, None]
    said = {record.name: record.complete for record in read_records(tmp_path / "data")}
    assert said == {str(photos[0].id): True, str(photos[1].id): None}


def test_an_embedding_whose_copying_was_cut_short_is_copied_again(annotator, photo, label, live, tmp_path, monkeypatch):
    label(annotator)
    rows = [(photo, list(Mask.objects.filter(image=photo)))]
    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda file, content: write(file, content[:5]) and _killed())
    with pytest.raises(KeyboardInterrupt):
        write_manifest(tmp_path, rows, encoder_hash=live.encoder_hash)
    monkeypatch.setattr(Path, "write_bytes", write)
    write_manifest(tmp_path, rows, encoder_hash=live.encoder_hash)
    (embedding,) = tmp_path.glob("*.f16")
    assert embedding.stat().st_size == 2 * math.prod(live.embedding_shape)


def test_whoever_learns_the_encoder_gets_the_photos_themselves(annotator, add_photo, label, tmp_path):
    add_photo(1)
    photo = label(annotator)
    masks = list(Mask.objects.filter(image=photo))
    write_manifest(tmp_path, [(photo, masks)], encoder_hash=None)
    (record,) = read_records(tmp_path)
    assert record.embedding is None
    np.testing.assert_array_equal(record.pixels(), read_pixels(read(photo.display_key)))
    assert len(record.read_masks()) == len(masks)


def _killed():
    raise KeyboardInterrupt
