"""Names of objects, and pictures of them."""

import json

import cv2
import numpy as np
import pytest

from engine.data.batches import Batch
from engine.data.records import read_records
from engine.data.samples import Augmentation
from engine.data.sources import EmbeddingSource, PhotoSource, shelf_for
from engine.data.texts import CROPS_PER_OBJECT, names_that_say_which, object_crop, plain_name, with_crops, with_names
from engine.errors import DataInvalid
from engine.model.text import ClipText
from engine.recipes import RECIPES


class OneHot:
    """In a text encoder's place: each word a direction of its own, and a list of what was asked for."""

    name, width, fingerprint = "minilm", 8, "0" * 16

    def __init__(self):
        self.asked = []

    def encode(self, texts):
        self.asked += texts
        return np.eye(self.width, dtype=np.float32)[[sum(map(ord, text)) % self.width for text in texts]]


@pytest.fixture
def named(label_maps):
    """Of the four photos: two have names, of which one is shared by two objects."""
    counts = {record.name: len(record.read_masks()) for record in read_records(label_maps)}
    assert counts["0"] == counts["1"] == 3, counts
    names = {
        "0": {"labels": ["dog", "zebra", "dog"]},
        "1": {"labels": ["wall-other-merged (stuff)", None, "hot_dog"]},
        "2": {},
    }
    (label_maps / "instances.json").write_text(json.dumps(names))
    return label_maps


def test_names_are_as_people_say_them():
    given = ["wall-other-merged (stuff)", "hot_dog", "Zebra", "door-stuff (stuff)", "window-blind (stuff)"]
    assert [plain_name(name) for name in given] == ["wall", "hot dog", "zebra", "door", "window blind"]


def test_a_name_that_two_objects_of_a_photo_share_asks_for_neither():
    assert names_that_say_which(["person", "dog", "person", None, "Dog (stuff)", "cat"]) == (None,) * 5 + ("cat",)


def test_every_name_is_encoded_once_and_only_what_is_named_alone_has_a_text(named):
    encoder = OneHot()
    records = {record.name: record for record in with_names(read_records(named), encoder)}
    assert sorted(encoder.asked) == ["hot dog", "wall", "zebra"]
    assert [text is not None for text in records["0"].texts] == [False, True, False]
    assert [text is not None for text in records["1"].texts] == [True, False, True]
    assert records["2"].texts is None
    assert records["3"].texts is None
    np.testing.assert_array_equal(records["0"].texts[1], OneHot().encode(["zebra"]))


def test_names_of_photos_that_are_left_out_are_never_read(named):
    names = json.loads((named / "instances.json").read_text())
    names |= {"2": {"labels": ["owl", "cow", "bee"]}, "a photo that is not there": {"labels": ["fox"]}}
    (named / "instances.json").write_text(json.dumps(names))
    encoder = OneHot()
    with_names(read_records(named, leave_out=frozenset({"2"})), encoder)
    assert sorted(encoder.asked) == ["hot dog", "wall", "zebra"]


def test_photos_without_a_single_name_that_says_which_cannot_teach_names(label_maps):
    with pytest.raises(DataInvalid, match="no object"):
        with_names(read_records(label_maps), OneHot())


def test_more_or_fewer_names_than_masks_are_refused(named):
    (named / "instances.json").write_text(json.dumps({"0": {"labels": ["dog", "zebra"]}}))
    with pytest.raises(DataInvalid, match="0: 3 masks have 2 names"):
        shelf_for(with_names(read_records(named), OneHot()), Augmentation(full_side=64))


@pytest.mark.parametrize("content", ["[1]", '{"0": {"labels": "dog"}}', '{"0": {"labels": [1, 2, 3]}}', "{"])
def test_an_instances_json_that_names_nothing_is_refused(named, content):
    (named / "instances.json").write_text(content)
    with pytest.raises(DataInvalid, match=r"instances\.json"):
        read_records(named)


def test_coco_names_its_objects_but_not_beside_a_crowd_of_them(tmp_path):
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((8, 9, 3), np.uint8))
    corner = [[0, 0, 3, 0, 3, 3]]
    crowd = {"size": [8, 9], "counts": [0, 72]}
    annotations = [
        {"image_id": 1, "category_id": 7, "segmentation": corner},
        {"image_id": 1, "category_id": 9, "segmentation": corner},
        {"image_id": 1, "category_id": 7, "segmentation": crowd, "iscrowd": 1},
        {"image_id": 1, "segmentation": corner},
    ]
    photo = {"id": 1, "file_name": "a.jpg", "height": 8, "width": 9}
    categories = [{"id": 7, "name": "person"}, {"id": 9, "name": "dog"}]
    file = tmp_path / "coco.json"
    file.write_text(json.dumps({"images": [photo], "annotations": annotations, "categories": categories}))
    (record,) = read_records(file)
    # The crowd itself is no object: it is neither learnt nor counted.
    assert record.names == (None, "dog", None)
    assert len(record.read_masks()) == 3
    assert record.read_ignored is not None
    assert record.read_ignored().all()
    file.write_text(json.dumps({"images": [photo], "annotations": annotations}))
    assert read_records(file)[0].names is None


def phase():
    return RECIPES["debug"]().phases[0]


def test_a_batch_has_each_objects_own_text_and_zeros_for_those_without(named):
    encoder = OneHot()
    records = [r for r in with_names(read_records(named), encoder) if r.name == "0"]
    augmentation = Augmentation(full_side=64, min_area_px=4)
    source = PhotoSource(shelf_for(records, augmentation), augmentation)
    zebra, said = encoder.encode(["zebra"])[0], []
    for seed in range(8):
        batch = source.batch(phase(), np.random.default_rng(seed))
        assert isinstance(batch, Batch)
        assert batch.text.shape == (len(batch.truth), 8)
        said += batch.text.tolist()
    assert sorted({tuple(row) for row in said}) == sorted([(0.0,) * 8, tuple(zebra.tolist())])


def test_stored_embeddings_have_texts_too(tmp_path, named):
    from engine.masks import encode

    record = next(r for r in read_records(named) if r.name == "0")
    np.zeros((32, 8, 8), np.float16).tofile(tmp_path / "0.f16")
    line = {"id": "0", "embedding": "0.f16", "size": [48, 64], "names": list(record.names)}
    line["masks"] = [encode(mask) for mask in record.read_masks()]
    (tmp_path / "manifest.jsonl").write_text(json.dumps(line))
    records = with_names(read_records(tmp_path), OneHot())
    source = EmbeddingSource(records, (32, 8, 8), 64)
    said = np.concatenate([source.batch(phase(), np.random.default_rng(seed)).text for seed in range(8)])
    assert {tuple(row) for row in said.tolist()} == {(0.0,) * 8, tuple(OneHot().encode(["zebra"])[0].tolist())}


def test_without_names_a_batch_has_no_texts_and_draws_nothing_for_them(label_maps):
    augmentation = Augmentation(full_side=64, min_area_px=4)
    source = PhotoSource(shelf_for(read_records(label_maps), augmentation), augmentation)
    rng = np.random.default_rng(0)
    assert source.batch(phase(), rng).text is None
    before = rng.bit_generator.state
    assert source.shelf.texts.drawn([None, None], rng) is None
    assert rng.bit_generator.state == before


def test_a_crop_is_a_square_around_the_object_grown_by_up_to_2_and_half_the_time_nothing_else_is_in_it():
    rgb, mask = np.full((100, 200, 3), 50, np.uint8), np.zeros((100, 200), bool)
    mask[40:50, 90:130] = True  # 40 x 10 px, middle at (110, 45)
    rgb[mask] = 250
    shares, alone = [], 0
    for seed in range(60):
        crop = object_crop(rgb, mask, 56, np.random.default_rng(seed))
        assert (crop.shape, crop.dtype) == ((56, 56, 3), np.uint8)
        inside = crop[..., 0] > 150
        ys, xs = np.nonzero(inside)
        assert abs(xs.mean() - 27.5) < 1.5
        assert abs(ys.mean() - 27.5) < 1.5
        shares.append((xs.max() - xs.min() + 1) / 56)
        alone += not (np.abs(crop[..., 0].astype(int) - 50) < 5).any()
    assert 0.48 <= min(shares) < 0.6
    assert 0.9 < max(shares) <= 1
    assert 20 < alone < 40


def test_with_clip_large_objects_have_vectors_of_pictures_of_themselves(clip_folder, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    labels = np.zeros((150, 200), np.uint8)
    labels[10:120, 20:130] = 1  # 110 x 110 px
    labels[130:140, 150:190] = 2
    cv2.imwrite(str(tmp_path / "masks" / "a.png"), labels)
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.random.default_rng(0).integers(0, 255, (150, 200, 3)))
    (record,) = with_crops(read_records(tmp_path), ClipText(str(clip_folder)))
    large, small = record.texts
    assert (large.shape, small) == ((CROPS_PER_OBJECT, 12), None)
    assert len(np.unique(large.round(5), axis=0)) == CROPS_PER_OBJECT
    labels[labels == 1] = 0
    cv2.imwrite(str(tmp_path / "masks" / "a.png"), labels)
    with pytest.raises(DataInvalid, match="10000 pixels"):
        with_crops(read_records(tmp_path), ClipText(str(clip_folder)))
