"""Windows cut where training is."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from engine.data.on_device import DeviceSource
from engine.data.records import Record
from engine.data.samples import Augmentation
from engine.data.sources import NoObjects
from engine.training.run import Phase

AUGMENTATION = Augmentation(full_side=64, stride=8, min_area_px=4, colour=0.0)
PHASE = Phase(steps=1, side=64, photos=8, objects=3, scale=(0.5, 1.5))
RED, BLUE = (250, 10, 10), (10, 10, 250)


def painted(name, boxes, size=(60, 90)):
    """Red rectangles on blue; each is an object."""
    rgb, masks = np.full((*size, 3), BLUE, np.uint8), []
    for x0, y0, x1, y1 in boxes:
        masks.append(np.zeros(size, bool))
        masks[-1][y0:y1, x0:x1] = True
        rgb[masks[-1]] = RED
    record = Record(name, None, lambda: masks)
    return type("Painted", (), {"pixels": lambda self: rgb, "__getattr__": lambda self, key: getattr(record, key)})()


def grown(region_HW):
    """By one cell, from the window's edges inwards, too."""
    return F.max_pool2d(F.pad(region_HW[None].float(), (1, 1, 1, 1), value=1), 3, stride=1)[0] > 0


@pytest.fixture
def source():
    photos = [painted("a", [(5, 5, 30, 40), (50, 20, 85, 55)]), painted("b", [(30, 10, 60, 50)], (90, 70))]
    return DeviceSource(photos, AUGMENTATION, "cpu")


def test_a_windows_masks_lie_on_its_objects_however_it_was_cut_shrunk_or_mirrored(source):
    for scale in ((0.1, 0.3), (0.4, 0.8), (0.9, 2.0)):
        drawn = 0
        for seed in range(5):
            batch = source.batch(replace(PHASE, scale=scale), np.random.default_rng(seed))
            assert batch.images.shape == (8, 3, 64, 64)
            assert batch.owner.tolist() == sorted(batch.owner.tolist())
            is_red = F.avg_pool2d((batch.images[:, 0] > 130).float(), 2) > 0.5
            for photo in batch.owner.unique():
                is_object = batch.truth[batch.owner == photo].any(0)
                # But for a cell of border, where colours mix.
                assert is_red[photo][~grown(~is_object)].all()
                if len(batch.truth[batch.owner == photo]) == 2:
                    assert not is_red[photo][~grown(is_object)].any()
                drawn += 1
        assert drawn > 20


def test_the_same_numbers_give_the_same_batch_and_photos_are_mirrored_half_the_time(source):
    first, again, other = (source.batch(PHASE, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.truth, again.truth)
    assert not torch.equal(first.images, other.images)
    still = DeviceSource([painted("a", [(5, 5, 30, 40)])], AUGMENTATION.untouched(), "cpu")
    whole = replace(PHASE, scale=(1.0, 1.0))
    batches = [still.batch(whole, np.random.default_rng(seed)) for seed in range(3)]
    assert all(torch.equal(image, batches[0].images[0]) for batch in batches for image in batch.images)  # whole, flush
    mirrored = DeviceSource([painted("a", [(5, 5, 30, 40)])], replace(AUGMENTATION.untouched(), flip=0.5), "cpu")
    images = mirrored.batch(replace(whole, photos=64), np.random.default_rng(0)).images
    share = float((images[:, 0, :, :20].mean(dim=(1, 2)) < images[:, 0, :, -20:].mean(dim=(1, 2))).float().mean())
    assert 0.3 < share < 0.7


def test_objects_come_as_often_as_they_weigh_and_those_too_small_never(source):
    heavy = painted("a", [(5, 5, 30, 40), (50, 20, 85, 55), (40, 1, 41, 2)])
    record = type(
        "Weighted", (), {"mask_weights": lambda self: (9.0, 1.0, 5.0), "__getattr__": lambda s, k: getattr(heavy, k)}
    )()
    drawn = DeviceSource([record], AUGMENTATION.untouched(), "cpu").batch(
        Phase(steps=1, side=64, photos=300, objects=1, scale=(1.0, 1.0)), np.random.default_rng(0)
    )
    left = drawn.truth[:, :, :16].flatten(1).any(1)
    assert 0.82 < left.float().mean() < 0.95  # nine of ten, once the small one has been passed over
    with pytest.raises(NoObjects, match="too small"):
        DeviceSource([painted("a", [(40, 1, 41, 2)])], AUGMENTATION, "cpu").batch(PHASE, np.random.default_rng(0))
    with pytest.raises(NoObjects, match="none of the photos has a mask"):
        DeviceSource([painted("a", [])], AUGMENTATION, "cpu")
