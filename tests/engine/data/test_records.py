"""What is read of photos and masks as people have them, and what is refused, by name."""

import json
import re
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from engine.cli import main
from engine.data.coco_json import coco_ids
from engine.data.records import Record, held_out, read_records
from engine.data.samples import Photo
from engine.data.sources import EmbeddingSource
from engine.errors import DataInvalid
from engine.evaluation.given import objects
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
        list(record.masks((48, 64)))


def test_photos_of_the_same_name_in_several_folders_are_told_apart_by_their_folders(coco, weights, tmp_path, capsys):
    photos = [{"id": n, "file_name": name} for n, name in enumerate(("a/1.png", "b/1.png", "b/2.png", "b/2.bmp"))]
    file = coco(photos, [{"image_id": n, "segmentation": encode(scene(48, 64, n)[1][0])} for n in range(4)])
    records = {record.name: record for record in read_records(file)}
    assert set(records) == {"a/1", "b/1", "b/2.png", "b/2.bmp"}
    assert records["b/1"].image == file.parent / "b" / "1.png"
    assert coco_ids(file) == {"a/1": 0, "b/1": 1, "b/2.png": 2, "b/2.bmp": 3}
    report = tmp_path / "report.json"
    evaluate = ["evaluate", "clicks", "--data", str(file), "--checkpoint", str(weights), "--threads", "1"]
    assert main([*evaluate, "--json", str(report), "--pictures", str(tmp_path / "pictures")]) == 0
    assert json.loads(report.read_text())["images"] == 4


def test_a_photo_that_a_coco_json_lists_twice_is_refused(coco):
    file = coco([{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "a.png"}], [])
    with pytest.raises(DataInvalid, match=r"a\.json: the photo a\.png comes twice"):
        read_records(file)


def test_a_photo_without_a_file_name_is_the_one_at_the_end_of_its_address_as_in_lvis(coco):
    file = coco([{"id": 1, "coco_url": "http://images.example/train2017/000000391895.png"}], [])
    (record,) = read_records(file)
    assert record.name == "000000391895"
    assert record.pixels().shape == (48, 64, 3)


def test_a_coco_json_that_says_of_a_photo_neither_is_refused(coco):
    file = coco([{"id": 1, "file_name": "a.png"}], [])
    file.write_text(file.read_text().replace("file_name", "name"))
    with pytest.raises(DataInvalid, match="is not a COCO json"):
        read_records(file)


def test_annotations_without_an_outline_are_passed_over_and_counted(coco, caplog):
    square, line = [10, 10, 30, 10, 30, 30, 10, 30], [1, 1, 5, 5]
    without = [{}, {"segmentation": []}, {"segmentation": None}, {"segmentation": [line]}, {"segmentation": {}}]
    outlined = [{"segmentation": [square]}, {"segmentation": [line, square]}, {"segmentation": DISC}]
    pairs = {"segmentation": [[[10, 10], [30, 10], [10, 30]]]}
    crowd = {"iscrowd": 1, "segmentation": []}
    every = [{"image_id": 1, "id": n} | one for n, one in enumerate([*without, crowd, *outlined, pairs])]
    photos = [{"id": 1, "file_name": "a.png", "complete": True}, {"id": 2, "file_name": "b.png", "complete": True}]
    some, none = read_records(coco(photos, every))
    assert [int(mask.sum()) for mask in some.masks((48, 64))[:2]] == [400, 400]
    assert len(some.masks((48, 64))) == len(some.mask_weights()) == 4
    assert some.read_ignored is None
    assert some.complete is False, "there are objects of which nobody knows where they are"
    assert none.complete is True
    (said,) = caplog.messages
    assert "a.json: 6 annotations have no outline and are passed over" in said


def test_an_outline_that_is_none_is_told_of_with_its_photo_and_the_annotations_number(coco):
    file = coco([{"id": 1, "file_name": "a.png"}], [{"image_id": 1, "id": 77, "segmentation": [[1, 2, 3, 4, 5]]}])
    (record,) = read_records(file)
    with pytest.raises(DataInvalid, match="a: annotation 77: a polygon has at least three corners"):
        list(record.masks((48, 64)))


def test_a_palettes_label_map_is_read_as_its_numbers_whatever_the_colours(label_maps):
    (first, *_), before = read_records(label_maps), read_records(label_maps)[0].read_masks()
    file = label_maps / "masks" / f"{first.name}.png"
    painted = Image.fromarray(np.asarray(Image.open(file)), "P")
    painted.putpalette([value for number in range(256) for value in (number * 37 % 256, number * 91 % 256, 128)])
    painted.save(file)
    assert all(np.array_equal(*pair) for pair in zip(first.read_masks(), before, strict=True))


@pytest.mark.parametrize("others", [(1, 2), (1, 254)])
def test_in_a_palettes_label_map_255_is_no_object_and_counts_neither_way_unless_it_is_one_of_many(label_maps, others):
    """PASCAL VOC's border around objects."""
    (first, *_) = read_records(label_maps)
    labels = np.zeros((48, 64), np.uint8)
    labels[5:20, 5:20], labels[20:30, 5:20], labels[40:44] = *others, 255
    picture = Image.fromarray(labels, "P")
    picture.putpalette(list(range(256)) * 3)
    picture.save(label_maps / "masks" / f"{first.name}.png")
    (record, *_) = read_records(label_maps)
    is_void = 254 not in others
    assert [int(mask.sum()) for mask in record.masks((48, 64))] == [225, 150] + [256] * (not is_void)
    ignored = record.ignored((48, 64))
    assert np.array_equal(ignored, labels == 255) if is_void else ignored is None


def test_a_thousand_masks_of_a_large_photo_are_never_in_memory_at_once(tmp_path):
    (height, width), count = (2000, 3000), 100
    boxes = [(10 * n, 5 * n, 10 * n + 900, 5 * n + 800) for n in range(count)]
    annotations = [{"image_id": 1, "segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]]} for x0, y0, x1, y1 in boxes]
    photo = {"id": 1, "file_name": "large.png", "height": height, "width": width}
    (tmp_path / "a.json").write_text(json.dumps({"images": [photo], "annotations": annotations}))
    Image.new("RGB", (width, height)).save(tmp_path / "large.png")
    (record,) = read_records(tmp_path / "a.json")
    tracemalloc.start()
    learnt_from = Photo.load(record, 480)
    truths, _ = objects(record, (height, width))
    assert sum(int(mask.any()) for mask in truths) == len(learnt_from.masks) == count
    assert (
        tracemalloc.get_traced_memory()[1] < 20 * height * width
    )  # all together would be 100 times the photo's pixels
    tracemalloc.stop()


def test_photos_of_a_group_are_learnt_from_or_held_out_together():
    records = [Record(str(n), None, list, group=f"scene {n // 5}") for n in range(100)]
    learn, shown = held_out(records, 0.3)
    assert learn
    assert shown
    assert not {record.group for record in learn} & {record.group for record in shown}
