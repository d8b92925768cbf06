"""Where batches come from: memory or disk, weighed by who made the masks."""

import json
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from engine.data.ahead import Ahead
from engine.data.on_device import DeviceSource
from engine.data.records import Record, held_out, read_photos, read_records
from engine.data.samples import Augmentation, Photo, draw_sample
from engine.data.sources import (
    EmbeddingSource,
    NoObjects,
    PhotosInMemory,
    PhotosOnDisk,
    PhotoSource,
    UnlabelledSource,
    at_logits,
    shelf_for,
)
from engine.errors import DataInvalid
from engine.masks import encode
from engine.model.preprocessing import fit_square, scale_to_model
from engine.recipes import RECIPES
from engine.training.run import Phase
from tests.conftest import scene

AUGMENTATION = Augmentation(full_side=64, min_area_px=4)
WANTED = Phase(steps=1, side=32, photos=2, objects=2, scale=(0.4, 1.25))


@pytest.fixture
def sa1b(tmp_path):
    """Photos `sa_NUMBER` of discs; `origins`: of each photo's masks, or None for another maker's files."""

    def make(origins: list[str | None]):
        folder = tmp_path / "sa1b"
        folder.mkdir()
        for number, origin in enumerate(origins):
            rgb, masks = scene(48, 64, number)
            cv2.imwrite(str(folder / f"sa_{number}.jpg"), rgb)
            more = {} if origin is None else {"maskloop_origin": origin}
            annotations = [{"segmentation": encode(mask), **more} for mask in masks]
            (folder / f"sa_{number}.json").write_text(json.dumps({"image": {}, "annotations": annotations}))
        return folder

    return make


@pytest.mark.parametrize(
    ("size", "image_side", "side"), [((425, 640), 384, 192), ((2000, 3000), 1024, 256), ((640, 425), 384, 192)]
)
def test_the_truth_beside_a_stored_embedding_lies_where_inference_reads_the_mask(size, image_side, side):
    down, across = scale_to_model(size, image_side, side)
    for until in range(size[0] - 12, size[0]):
        mask = np.zeros(size, bool)
        mask[:until, : size[1] // 2] = True
        inside = at_logits(mask, side, image_side)
        assert abs(inside[:, 0].sum() - until * down) <= 0.5 + 1e-6
        assert abs(inside[0].sum() - size[1] // 2 * across) <= 0.5 + 1e-6


def rngs(count: int):
    return [np.random.default_rng([7, number]) for number in range(count)]


def test_a_batch_from_disk_depends_on_the_seed_alone_not_on_what_was_read_before(label_maps):
    records = read_records(label_maps)
    roomy = PhotoSource(PhotosOnDisk(records, AUGMENTATION), AUGMENTATION)
    tight = PhotoSource(PhotosOnDisk(records, AUGMENTATION, cache_bytes=1), AUGMENTATION)
    forwards = [roomy.batch(WANTED, rng) for rng in rngs(6)]
    backwards = [tight.batch(WANTED, rng) for rng in rngs(6)[::-1]][::-1]
    for one, other in zip(forwards, backwards, strict=True):
        assert torch.equal(one.images, other.images)
        assert np.array_equal(one.truth, other.truth)


def test_what_was_read_is_kept_up_to_so_many_bytes(label_maps):
    records = read_records(label_maps)
    size = Photo.load(records[0], 80).size_bytes
    shelf = PhotosOnDisk(records, AUGMENTATION, cache_bytes=2 * size + size // 2)
    for rng in rngs(20):
        shelf.draw(rng)
        assert shelf.cache.held_bytes <= shelf.cache.limit_bytes
    assert shelf.cache.held_bytes > size


def test_photos_that_fit_are_held_in_memory_and_others_stay_on_disk(label_maps):
    records = read_records(label_maps)
    total = sum(Photo.load(record, 80).size_bytes for record in records)
    assert isinstance(shelf_for(records, AUGMENTATION, limit_bytes=total), PhotosInMemory)
    assert isinstance(shelf_for(records, AUGMENTATION, limit_bytes=total - 1), PhotosOnDisk)


def test_listing_an_sa1b_folder_reads_one_json(sa1b):
    folder = sa1b([None] * 3)
    (folder / "sa_2.json").write_text("not read")
    records = read_records(folder)
    assert [record.name for record in records] == ["sa_0", "sa_1", "sa_2"]
    assert len(records[1].read_masks()) == 3
    with pytest.raises(DataInvalid, match="sa_2"):
        records[2].read_masks()


def photo_of_two(folder, name, origins):
    """A mask that a person made or accepted is a square on the photo's left, an automatic one a square on its right."""
    masks = np.zeros((2, 64, 64), bool)
    for mask, origin, y in zip(masks, origins, (8, 40), strict=True):
        x = 40 if origin == "automatic" else 8
        mask[y : y + 16, x : x + 16] = True
    cv2.imwrite(str(folder / f"{name}.jpg"), np.full((64, 64, 3), 90, np.uint8))
    annotations = [{"segmentation": encode(m), "maskloop_origin": o} for m, o in zip(masks, origins, strict=True)]
    (folder / f"{name}.json").write_text(json.dumps({"image": {}, "annotations": annotations}))


@pytest.mark.parametrize("source", ["in memory", "on disk", "on the device", "embeddings"])
def test_masks_that_people_made_or_accepted_are_drawn_ten_times_as_often_as_automatic_ones(source, tmp_path):
    photos = [("brush", "proposed"), *[("automatic", "automatic")] * 3, ("brush", "automatic")]
    for number, origins in enumerate(photos):
        photo_of_two(tmp_path, f"sa_{number}", origins)
    records = read_records(tmp_path)
    still = Augmentation(full_side=64, stride=8, min_area_px=4).untouched()
    if source == "on the device":
        batches = DeviceSource(records, still, "cpu")
    elif source == "embeddings":
        np.zeros((2, 8, 8), np.float16).tofile(tmp_path / "stored")
        embedded = [replace(record, embedding=tmp_path / "stored", size=(64, 64)) for record in records]
        batches = EmbeddingSource(embedded, (2, 8, 8), 64)
    else:
        shelf = (PhotosInMemory if source == "in memory" else PhotosOnDisk)(records, still)
        batches = PhotoSource(shelf, still)
    wanted = Phase(steps=1, side=64, photos=200, objects=1, scale=(1.0, 1.0))
    rng = np.random.default_rng(0)
    truth = np.concatenate([np.asarray(batches.batch(wanted, rng).truth) for _ in range(20)])
    by_people = truth[:, :, :16].any(axis=(1, 2)).sum()
    automatic = len(truth) - by_people
    assert (by_people / 3) / (automatic / 7) == pytest.approx(10, rel=0.12)


def test_of_ours_masks_that_people_made_or_accepted_weigh_ten_and_all_others_one(sa1b):
    records = read_records(sa1b(["automatic", "brush", "automatic", "proposed"]))
    assert [set(record.mask_weights()) for record in records] == [{1}, {10}, {1}, {10}]


def test_a_photos_weights_are_read_once_however_often_it_is_passed_over(sa1b, monkeypatch):
    read = Counter()
    records = read_records(sa1b(["automatic", "brush", "automatic", "proposed"]))
    counted = [
        replace(record, read_weights=lambda record=record: read.update([record.name]) or record.read_weights())
        for record in records
    ]
    shelf = PhotosOnDisk(counted, AUGMENTATION)
    rng = np.random.default_rng(0)
    for _ in range(50):
        shelf.draw(rng)
    # Once to decide whether it is drawn, and once with its masks.
    assert set(read) == {record.name for record in records}
    assert max(read.values()) <= 2


def test_masks_of_another_maker_weigh_the_same_and_so_do_ours_if_asked(sa1b):
    folder = sa1b([None, None])
    assert [record.mask_weights() for record in read_records(folder)] == [None, None]
    ours = json.loads((folder / "sa_1.json").read_text())
    for annotation in ours["annotations"]:
        annotation["maskloop_origin"] = "assisted"
    for number in (0, 1):
        (folder / f"sa_{number}.json").write_text(json.dumps(ours))
    assert set(read_records(folder, human_weight=1)[1].mask_weights()) == {1.0}


def test_coco_annotations_of_ours_weigh_by_origin_too(tmp_path):
    rgb, masks = scene(48, 64, 0)
    cv2.imwrite(str(tmp_path / "a.png"), rgb)
    origins = ["imported", "automatic", None]
    annotations = [
        {"image_id": 1, "segmentation": encode(mask), **({"maskloop_origin": origin} if origin else {})}
        for mask, origin in zip(masks, origins, strict=True)
    ]
    image = {"id": 1, "file_name": "a.png", "height": 48, "width": 64}
    (tmp_path / "a.json").write_text(json.dumps({"images": [image], "annotations": annotations}))
    (record,) = read_records(tmp_path / "a.json")
    assert record.mask_weights() == (10.0, 1.0, 1.0)


def test_masks_of_over_90_percent_of_the_photo_are_dropped_with_their_weights(tmp_path):
    rgb, masks = scene(48, 64, 0)
    everything = np.ones((48, 64), bool)
    most = everything.copy()
    most[:5] = False  # 89.6%
    cv2.imwrite(str(tmp_path / "a.png"), rgb)
    entry = {
        "id": "a",
        "image": "a.png",
        "size": [48, 64],
        "masks": [encode(m) for m in (everything, masks[0], most)],
        "weights": [3, 5, 7],
    }
    (tmp_path / "manifest.jsonl").write_text(json.dumps(entry) + "\n")
    (record,) = read_records(tmp_path)
    assert Photo.load(record, 64, largest_share=0.9).weights.tolist() == [5, 7]
    assert Photo.load(record, 64).weights.tolist() == [3, 5, 7]


@pytest.mark.parametrize("preprocessing", ["preprocessing-1", "sam-1"])
def test_untouched_photos_are_those_of_inference(label_maps, preprocessing):
    (record, *_) = read_records(label_maps)
    for side in (64, 32, 96):
        still = Augmentation(full_side=side, kept_scale=1.0, min_area_px=4, preprocessing=preprocessing).untouched()
        photo = Photo.load(record, side, preprocessing=preprocessing)
        sample = draw_sample(photo, side, 9, (1.0, 1.0), still, np.random.default_rng(0))
        wanted = fit_square(record.pixels(), side, preprocessing)
        assert np.array_equal(sample.rgb_SS3, wanted)
        whole = Phase(steps=1, side=side, photos=1, objects=9, scale=(1.0, 1.0))
        source = UnlabelledSource([record], still)
        assert np.array_equal(source.batch(whole, np.random.default_rng(0)).images[0].permute(1, 2, 0), wanted)
        if side == 64:  # the photo's own
            whole = {mask.tobytes() for mask in sample.masks_KSS[:, :48]}
            assert whole == {mask.astype(np.float32).tobytes() for mask in record.read_masks()}


def disc(height: int, width: int, y: float, x: float, radius: float) -> np.ndarray:
    ys, xs = np.ogrid[:height, :width]
    return (ys + 0.5 - y) ** 2 + (xs + 0.5 - x) ** 2 < radius**2


def centre(mask_HW: np.ndarray) -> np.ndarray:
    return np.array(
        [np.average(np.arange(n) + 0.5, weights=mask_HW.sum(1 - axis)) for axis, n in enumerate(mask_HW.shape)]
    )


def test_of_a_large_photo_masks_lie_where_the_photo_does(tmp_path):
    mask = disc(1500, 2000, 700, 900, 200)
    record = Record("one", tmp_path / "x.jpg", read_masks=lambda: [mask])
    cv2.imwrite(str(tmp_path / "x.jpg"), mask.astype(np.uint8) * 255)
    photo = Photo.load(record, 240)
    seen = photo.rgb[..., 0].astype(float)
    assert np.abs(centre(photo.mask(0)) - centre(seen * (seen > 20))).max() < 0.05


@pytest.mark.parametrize("on_device", [False, True])
def test_small_objects_are_taught_as_large_as_they_are(on_device, tmp_path):
    rng = np.random.default_rng(0)
    whole, taught = 0.0, 0.0
    records = []
    for number in range(40):
        mask = disc(96, 96, *rng.uniform(20, 76, 2), 6.0)
        cv2.imwrite(str(tmp_path / f"{number}.png"), mask.astype(np.uint8) * 255)
        records.append(Record(str(number), tmp_path / f"{number}.png", read_masks=lambda mask=mask: [mask]))
    still = Augmentation(full_side=96, stride=8, min_area_px=4).untouched()
    source = DeviceSource(records, still, "cpu") if on_device else PhotoSource(PhotosInMemory(records, still), still)
    for _ in range(30):
        batch = source.batch(Phase(steps=1, photos=8, side=96, objects=1, scale=(0.6, 1.2)), rng)
        truths = np.asarray(batch.truth)
        images = np.asarray(batch.images, float).mean(1)
        for owner, truth in zip(batch.owner, truths, strict=True):
            whole += float((images[int(owner)] > 127).sum()) / 4  # two pixels to a cell
            taught += float(truth.sum())
    # A disc of five cells that is blurred and cut loses some of its edge; ties that go one way are a tenth.
    assert taught / whole == pytest.approx(1.0, abs=0.03)


def test_large_scale_jitter_shows_photos_at_a_tenth_to_twice_their_size(label_maps):
    rgb = np.full((64, 64, 3), 200, np.uint8)
    photo = Photo(rgb, np.packbits(np.ones((1, 64, 64), bool), axis=2), np.ones(1))
    widths = []
    for rng in rngs(80):
        # Not the whole window is object, or there would be no sample: photos up to the window's size can be measured.
        sample = draw_sample(photo, 128, 1, (0.1, 2.0), AUGMENTATION.untouched(), rng)
        widths.append(128 if sample is None else int((sample.masks_KSS[0] > 0.5).any(0).sum()))
    assert min(widths) < 0.15 * 64
    assert max(widths) > 1.7 * 64


@pytest.mark.parametrize(("recipe", "side", "too_small", "taught"), [("base", 1024, 3, 5), ("finetune", 384, 5, 7)])
@pytest.mark.parametrize("on_device", [False, True])
def test_the_published_recipe_teaches_objects_from_a_cell_of_the_logits_on_ours_from_six_pixels(
    recipe, side, too_small, taught, on_device, tmp_path
):
    cv2.imwrite(str(tmp_path / "plain.png"), np.full((side, side, 3), 90, np.uint8))
    masks = []
    for at, width in ((64, too_small), (128, taught)):
        masks.append(np.zeros((side, side), bool))
        masks[-1][at : at + width, at : at + width] = True
    records = [Record("plain", tmp_path / "plain.png", lambda: masks)]
    still = RECIPES[recipe]().augmentation(side, 16 if recipe == "base" else 8, "preprocessing-1").untouched()
    source = DeviceSource(records, still, "cpu") if on_device else PhotoSource(PhotosInMemory(records, still), still)
    batch = source.batch(Phase(steps=1, side=side, photos=1, objects=2, scale=(1.0, 1.0)), np.random.default_rng(0))
    truth = np.asarray(batch.truth)
    cell = side // truth.shape[-1]
    assert len(truth) == 1
    assert truth[0, 128 // cell, 128 // cell]


@pytest.mark.parametrize(("recipe", "median"), [("base_large_jitter", 1.05), ("scratch", (0.24 * 0.67) ** 0.5)])
@pytest.mark.parametrize("where", ["photos", "photos without masks", "on the device"])
def test_large_scale_jitter_is_drawn_uniformly_and_our_own_recipes_scales_log_uniformly(
    recipe, median, where, tmp_path
):
    cv2.imwrite(str(tmp_path / "plain.png"), np.full((64, 64, 3), 200, np.uint8))
    strip = np.zeros((64, 64), bool)
    strip[:, 30:34] = True
    records = [Record("plain", tmp_path / "plain.png", lambda: [strip])]
    still = replace(AUGMENTATION.untouched(), min_area_px=0)
    if where == "on the device":
        source = DeviceSource(records, still, "cpu")
    elif where == "photos":
        source = PhotoSource(PhotosInMemory(records, still), still)
    else:
        source = UnlabelledSource(records, still)
    wanted = replace(RECIPES[recipe]().phases[0], side=128, photos=500, objects=1)  # the largest photo fits
    images = np.asarray(source.batch(wanted, np.random.default_rng(0)).images, float)
    widths = (images[:, 0, 0] > 162).sum(1)
    assert np.median(widths / 64) == pytest.approx(median, abs=0.1)


def test_a_tenth_of_a_photo_is_an_average_of_it_and_no_flicker():
    fine = np.zeros((640, 640, 3), np.uint8)
    fine[::2, ::2] = 255  # a quarter of the pixels
    masks = np.zeros((1, 640, 640), bool)
    masks[0, :320] = True
    photo = Photo(fine, np.packbits(masks, axis=2), np.ones(1))
    still = Augmentation(full_side=64, min_area_px=4).untouched()
    sample = draw_sample(photo, 64, 1, (1.0, 1.0), still, np.random.default_rng(0))
    assert np.abs(sample.rgb_SS3.astype(int) - 64).max() <= 2


def test_a_folder_of_photos_is_enough_where_no_masks_are_wanted(label_maps):
    records = read_photos(label_maps / "images", leave_out=frozenset({"1"}))
    assert [record.name for record in records] == ["0", "2", "3"]
    batch = UnlabelledSource(records, AUGMENTATION).batch(WANTED, np.random.default_rng(0))
    assert batch.images.shape == (2, 3, 32, 32)
    assert not len(batch.truth)
    assert len(read_photos(label_maps)) == 4
    with pytest.raises(DataInvalid):
        read_photos(label_maps / "nothing")


def test_photos_without_any_mask_are_said_to_be_so(label_maps):
    records = read_photos(label_maps / "images")
    with pytest.raises(NoObjects):
        PhotosOnDisk(records, AUGMENTATION).draw(np.random.default_rng(0))


def test_held_out_photos_are_the_same_whatever_else_there_is(label_maps):
    records = read_records(label_maps)
    learnt, shown = held_out(records, 0.5)
    assert sorted(r.name for r in learnt + shown) == [r.name for r in records]
    for record in records:
        assert held_out([record], 0.5)[1] == ([record] if record in shown else [])
    many = [Record(str(number), None, list) for number in range(1000)]
    assert len(held_out(many, 0.1)[1]) == pytest.approx(100, abs=30)


def test_what_is_made_ahead_comes_in_order_and_an_error_comes_in_its_place():
    def make(number):
        if number == 3:
            raise DataInvalid("broken")
        return number * number

    ahead = Ahead(make, iter(range(10)), threads=3)
    assert [next(ahead) for _ in range(3)] == [0, 1, 4]
    with pytest.raises(DataInvalid, match="broken"):
        next(ahead)
    assert list(ahead) == [16, 25, 36, 49, 64, 81]
    ahead.close()
