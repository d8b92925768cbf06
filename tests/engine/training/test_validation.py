"""The curve that says which weights are the best."""

import cv2
import numpy as np
import pytest
import torch

from engine.data.batches import Batch
from engine.data.records import read_records
from engine.data.samples import Augmentation
from engine.data.sources import NoObjects
from engine.model.build import Sam
from engine.model.preprocessing import fit_square
from engine.training.validation import Validation, validation_on
from tests.engine.conftest import small_vit


def right_from_the_second_click(model, truth):
    """A stand-in whose first answer is everything, and which is right once it is corrected."""

    def decode(embeddings, points, labels, logits=None):
        model.clicks.append((points, labels))
        answer = torch.full((len(points), 4, *truth.shape[1:]), 4.0)
        if logits is not None:
            assert (logits == 4).all()  # fed back
            answer = torch.where(torch.from_numpy(truth).unsqueeze(1), 4.0, -4.0).expand(-1, 4, -1, -1)
        return answer, torch.zeros(len(points), 4)

    model.clicks = []
    model.decode = decode
    return model


def test_clicks_are_in_the_middle_of_the_larger_error_and_stop_where_nothing_is_wrong(model):
    truth = np.zeros((1, 32, 32), bool)
    truth[0, :4, :4] = True
    model = right_from_the_second_click(model, truth)
    batch = Batch(torch.zeros(1, 3, 64, 64), np.array([0]), truth)
    miou = Validation([batch], clicks=3).miou(model)
    assert miou == pytest.approx([16 / 1024, 1, 1])
    assert len(model.clicks) == 2
    points, labels = model.clicks[1]
    assert labels[0, 1] == 0  # a false alarm, far from the object
    assert points[0, 1].min() > 16


def test_it_is_the_same_each_time_and_takes_photos_as_they_are_at_inference(model, label_maps):
    records = read_records(label_maps)
    augmentation = Augmentation(full_side=64, min_area_px=4)
    first, second = (validation_on(records, model, augmentation, photos=2, clicks=2) for _ in range(2))
    assert len(first.batches) == 2
    torch.testing.assert_close(first.batches[0].images, second.batches[0].images)
    assert (first.batches[0].images[0, :, 48:] == torch.tensor([124, 116, 104])[:, None, None]).all()  # padded below
    assert first.miou(model) == second.miou(model)


def test_a_published_models_photos_are_prepared_as_it_does_at_inference(label_maps):
    records = read_records(label_maps)
    batches = validation_on(records, Sam(small_vit()), Augmentation(full_side=64, stride=16, min_area_px=4)).batches
    assert len(batches) == len(records)
    for batch, record in zip(batches, records, strict=True):
        assert np.array_equal(batch.images[0].permute(1, 2, 0), fit_square(record.pixels(), 64, "sam-1"))


def test_photos_without_masks_cannot_be_validated_on(model, label_maps):
    for file in (label_maps / "masks").iterdir():
        cv2.imwrite(str(file), np.zeros((48, 64), np.uint8))
    with pytest.raises(NoObjects, match="validate"):
        validation_on(read_records(label_maps), model, Augmentation(full_side=64))
