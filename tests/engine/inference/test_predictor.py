"""Prompts and their answers."""

import numpy as np
import onnxruntime
import pytest
import torch

from engine.errors import PromptInvalid
from engine.inference.onnx_export import export_decoder_onnx
from engine.inference.predictor import Predictor, Prompt
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
