"""What the engine is told of a dataset's photos."""

import json

from backend.annotation.models import Mask
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
