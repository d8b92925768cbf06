"""Prompts and their answers."""

import numpy as np
import onnxruntime
import pytest
import torch

from engine.errors import PromptInvalid
from engine.inference.everything import label_everything
from engine.inference.onnx_export import export_decoder_onnx
from engine.inference.predictor import EmbeddedPhoto, Predictor, Prompt
from engine.inference.settings import EverythingSettings
from engine.masks import bbox, decode
from tests.conftest import scene

SIZE = (48, 64)


@pytest.fixture
def predictor(model):
    return Predictor(model)


@pytest.fixture
def photo(predictor):
    return predictor.embed(scene(*SIZE, seed=1)[0])


@pytest.mark.parametrize("prompt", [Prompt(((30.5, 20.5),), (1,)), Prompt(box=(5, 5, 40, 30))])
def test_a_lone_click_or_a_lone_box_gives_three_masks_best_first(predictor, photo, prompt):
    answer = predictor.predict(photo, prompt)
    assert len(answer.logits_MHW) == 3
    assert answer.predicted_iou_M.tolist() == sorted(answer.predicted_iou_M.tolist(), reverse=True)
    assert answer.mask().shape == SIZE


def test_with_more_than_one_prompt_there_is_one_mask(predictor, photo):
    click = ((30.5, 20.5),)
    first = predictor.predict(photo, Prompt(click, (1,)))
    for prompt in (
        Prompt((*click, (10.5, 9.5)), (1, 0)),
        Prompt(click, (1,), box=(5, 5, 40, 30)),
        Prompt(click, (1,), mask=first.logits_MHW[0]),
    ):
        assert len(predictor.predict(photo, prompt).logits_MHW) == 1


def test_many_prompts_in_one_pass_are_answered_as_one_by_one(predictor, photo):
    prompts = [Prompt(((10.5, 9.5),), (1,)), Prompt(box=(5, 5, 40, 30)), Prompt(((3, 4), (5, 6), (7, 8)), (1, 0, 1))]
    for together, alone in zip(
        predictor.predict_many(photo, prompts), map(predictor.predict, [photo] * 3, prompts), strict=True
    ):
        np.testing.assert_allclose(together.logits_MHW, alone.logits_MHW, atol=1e-4)
        np.testing.assert_allclose(together.predicted_iou_M, alone.predicted_iou_M, atol=1e-5)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(),
        Prompt(((100, 5),), (1,)),
        Prompt(((5, 5),), (2,)),
        Prompt(((5, 5),), ()),
        Prompt(box=(10, 10, 10, 20)),
        Prompt(box=(10, 10, 400, 20)),
        Prompt(mask=np.zeros((3, 3), np.float32)),
    ],
)
def test_a_prompt_that_no_mask_can_answer_is_refused(predictor, photo, prompt):
    with pytest.raises(PromptInvalid):
        predictor.predict(photo, prompt)


def test_the_exported_decoder_answers_as_torch_does(model, photo, tmp_path):
    export_decoder_onnx(model, tmp_path / "decoder.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "decoder.onnx")
    side = 4 * model.architecture.prompt.grid
    previous = np.random.default_rng(0).normal(size=(1, 1, side, side)).astype(np.float32)
    cases = [
        ([[30, 20], [0, 0]], [1, -1], 0),
        ([[30, 20], [4, 60], [0, 0]], [1, 0, -1], 1),
        ([[5, 5], [40, 30]], [2, 3], 0),
        ([[30, 20], [5, 5], [40, 30]], [1, 2, 3], 1),
    ]
    embedding = photo.embedding[None].astype(np.float32)
    for points, labels, has_mask in cases:
        given = {
            "image_embedding": embedding,
            "point_coords": np.array([points], np.float32),
            "point_labels": np.array([labels], np.float32),
            "mask_input": previous,
            "has_mask_input": np.array([has_mask], np.float32),
        }
        logits, ious = session.run(["low_res_logits", "iou_predictions"], given)
        with torch.inference_mode():
            mask = torch.from_numpy(previous) if has_mask else None
            wanted = model.decode(
                torch.from_numpy(embedding), torch.tensor([points]).float(), torch.tensor([labels]).float(), mask
            )
        np.testing.assert_allclose(logits, wanted[0].numpy(), atol=1e-4)
        np.testing.assert_allclose(ious, wanted[1].numpy(), atol=1e-4)


class ColourBlobs:
    """In a decoder's place: answers a click with the pixels of its colour, so that the right masks are known."""

    logits_side = 64

    def __init__(self, rgb):
        self.rgb = rgb.astype(int)

    def predict_many(self, photo, prompts):
        from engine.inference.predictor import Answer

        answers = []
        for prompt in prompts:
            ((x, y),) = prompt.points
            colour = self.rgb[int(y), int(x)]
            same = (np.abs(self.rgb - colour).sum(2) < 40).astype(np.float32)
            logits = np.full((64, 64), -8.0, np.float32)
            logits[: same.shape[0], : same.shape[1]] = np.where(same > 0, 8.0, -8.0)
            answers.append(Answer(logits[None], np.ones(1, np.float32), photo.size, np.ones(1, np.float32)))
        return answers


def test_everything_finds_each_object_once():
    rgb, masks = scene(48, 64, seed=0)
    photo = EmbeddedPhoto(np.zeros(1), (48, 64))
    found = label_everything(ColourBlobs(rgb), photo, EverythingSettings(points_per_side=32, min_region_px=0))
    for wanted in masks:
        matches = [
            one for one in found if (decode(one.rle) == wanted).mean() > 0.99 and decode(one.rle)[wanted].mean() > 0.9
        ]
        assert len(matches) == 1
    for one in found:
        assert one.box == bbox(one.rle)
        assert one.area == decode(one.rle).sum() > 0


def test_everything_of_a_real_decoder_is_filtered_and_has_no_near_duplicates(predictor, photo):
    settings = EverythingSettings(points_per_side=8, min_predicted_iou=0.0, min_stability=0.0, min_region_px=0)
    found = label_everything(predictor, photo, settings)
    assert [one.predicted_iou for one in found] == sorted((one.predicted_iou for one in found), reverse=True)
    boxes = np.array([one.box for one in found], float)
    for i in range(len(boxes)):
        for j in range(i):
            x0, y0 = np.maximum(boxes[i, :2], boxes[j, :2])
            x1, y1 = np.minimum(boxes[i, 2:], boxes[j, 2:])
            inter = max(0, x1 - x0) * max(0, y1 - y0)
            union = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (boxes[i], boxes[j])) - inter
            assert inter / union <= settings.nms_iou + 1e-9
    assert label_everything(predictor, photo, EverythingSettings(min_predicted_iou=1.0, points_per_side=2)) == []
