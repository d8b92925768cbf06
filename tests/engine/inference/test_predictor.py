"""Prompts and their answers."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

from engine.api import DEFAULT_CHECKPOINT
from engine.errors import CheckpointInvalid, PromptInvalid
from engine.inference.onnx_export import (
    INPUTS,
    OUTPUTS,
    FoldedGraph,
    PublishedGraph,
    decoder_graph,
    export_decoder_onnx,
)
from engine.inference.predictor import Predictor, Prompt
from engine.model.build import ARCHITECTURES, Sam, build_model
from engine.model.checkpoint import load_checkpoint
from engine.model.mask_decoder import MaskDecoder
from engine.model.prompt_encoder import PromptEncoder
from engine.model.text import TextProjection
from tests.conftest import scene

SIZE = (48, 64)


@pytest.fixture
def predictor(model):
    return Predictor(model)


@pytest.fixture(scope="module")
def wide():
    """Prompt encoder and decoder of SAM's size beside the smallest encoder: random weights, logits as large as real ones."""
    torch.manual_seed(0)
    small = ARCHITECTURES["maskloop_debug"]
    model = Sam(replace(small, prompt=PromptEncoder.Config(), decoder=MaskDecoder.Config())).eval()
    with torch.no_grad():
        for mlp in model.mask_decoder.output_hypernetworks_mlps:
            mlp.layers[-1].weight *= 100
    return model


@pytest.fixture(scope="module")
def exported_wide(wide, tmp_path_factory):
    """Sessions of both graphs of `wide`, as the page's runtime has them."""
    folded, published = decoder_graph(wide), PublishedGraph(wide)
    assert isinstance(folded, FoldedGraph)
    sessions = {}
    for graph in (folded, published):
        file = tmp_path_factory.mktemp("wide") / "decoder.onnx"
        export_decoder_onnx(wide, file, graph)
        sessions[type(graph)] = onnxruntime.InferenceSession(file)
    return sessions


@pytest.fixture
def photo(predictor):
    return predictor.embed(scene(*SIZE, seed=1)[0])


@pytest.mark.parametrize(
    ("labels", "has_mask"),
    [([1, -1], 0), ([1, 0, 1, -1], 0), ([2, 3], 0), ([1, 2, 3], 0), ([1, -1], 1), ([2, 3], 1), ([-1], 1)],
    ids=["a click", "clicks", "a box", "a click and a box", "a click and a mask", "a box and a mask", "a mask"],
)
def test_at_the_published_width_both_exported_graphs_answer_as_the_published_structure(
    wide, exported_wide, labels, has_mask
):
    generator = torch.Generator().manual_seed(len(labels) + has_mask)
    config = wide.architecture.prompt
    side = 4 * config.grid
    prompt = (
        torch.randn(1, config.channels, config.grid, config.grid, generator=generator),
        torch.rand(1, len(labels), 2, generator=generator) * config.image_side,
        torch.tensor([labels], dtype=torch.float32),
        torch.randn(1, 1, side, side, generator=generator) * 5 * has_mask,
        torch.tensor([float(has_mask)]),
    )
    with torch.inference_mode():
        logits, ious = (wanted.numpy() for wanted in PublishedGraph(wide)(*prompt))
    assert logits.std() > 1  # or equal within 1e-3 would say nothing
    given = dict(zip(INPUTS, (values.numpy() for values in prompt), strict=True))
    for session in exported_wide.values():
        exported_logits, exported_ious = session.run(list(OUTPUTS), given)
        np.testing.assert_allclose(exported_logits, logits, atol=1e-3, rtol=0)
        np.testing.assert_allclose(exported_ious, ious, atol=1e-3, rtol=0)


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


CLICK = ([[30, 20], [0, 0]], [1, -1])
STRUCTURES = ["the published structure, narrow", "the folded one, the default checkpoint's"]


@pytest.fixture
def exported(model, tmp_path, request):
    """A model and a session of its exported graph, which takes texts where the test's parameter says so."""
    structure, takes_text = request.param
    if structure.startswith("the folded"):
        model = build_model("maskloop_tiny").eval()
        unlike = model.load_state_dict(load_checkpoint(DEFAULT_CHECKPOINT).state_dict(), strict=False)
        assert not unlike.missing_keys
        assert all(name.startswith("text_projection.") for name in unlike.unexpected_keys)
        assert isinstance(decoder_graph(model), FoldedGraph)
    else:
        assert isinstance(decoder_graph(model), PublishedGraph)
    if takes_text:
        model.take_text(TextProjection.Config(width=16, encoder="minilm", fingerprint="0" * 16))
    export_decoder_onnx(model, tmp_path / "decoder.onnx")
    return model, onnxruntime.InferenceSession(tmp_path / "decoder.onnx")


def both(exported, prompt, *, has_mask=0, text_1TC=None):
    """A prompt's logits and predicted IoU, from the graph and from torch."""
    model, session = exported
    points, labels = (np.array([part], np.float32) for part in prompt)
    embedding = Predictor(model).embed(scene(*SIZE, seed=1)[0]).embedding[None].astype(np.float32)
    side = 4 * model.architecture.prompt.grid
    previous = np.random.default_rng(0).normal(size=(1, 1, side, side)).astype(np.float32)
    given = {
        "image_embedding": embedding,
        "point_coords": points,
        "point_labels": labels,
        "mask_input": previous,
        "has_mask_input": np.array([has_mask], np.float32),
    }
    if text_1TC is not None:
        given["text_tokens"] = text_1TC
    with torch.inference_mode():
        wanted = model.decode(
            *(torch.from_numpy(values) for values in (embedding, points, labels)),
            torch.from_numpy(previous) if has_mask else None,
            text_B1C=None if text_1TC is None or text_1TC.shape[1] == 0 else torch.from_numpy(text_1TC),
        )
    return session.run(["low_res_logits", "iou_predictions"], given), [part.numpy() for part in wanted]


@pytest.mark.parametrize("exported", [(name, False) for name in STRUCTURES], indirect=True)
def test_the_exported_decoder_answers_as_torch_does(exported):
    assert {"takes_text": "no"}.items() <= exported[1].get_modelmeta().custom_metadata_map.items()
    for prompt, has_mask in (
        (CLICK, 0),
        (([[30, 20], [4, 60], [0, 0]], [1, 0, -1]), 1),
        (([[5, 5], [40, 30]], [2, 3]), 0),
        (([[30, 20], [5, 5], [40, 30]], [1, 2, 3]), 1),
    ):
        ours, wanted = both(exported, prompt, has_mask=has_mask)
        np.testing.assert_allclose(ours[0], wanted[0], atol=1e-4, rtol=1e-4)
        np.testing.assert_allclose(ours[1], wanted[1], atol=1e-4)


@pytest.mark.parametrize("exported", [(name, True) for name in STRUCTURES], indirect=True)
def test_the_exported_decoder_takes_a_text_or_none_beside_every_other_prompt(exported):
    model, session = exported
    assert session.get_modelmeta().custom_metadata_map == {
        "takes_text": "yes",
        "text_encoder": "minilm 0000000000000000",
    }
    with torch.inference_mode():
        word_11C = model.text_tokens(torch.from_numpy(text(0))[None]).numpy()
    for prompt, has_mask in (
        (([[0, 0]], [-1]), 0),  # a text alone
        (CLICK, 0),
        (CLICK, 1),
        (([[5, 5], [40, 30]], [2, 3]), 0),
        (([[30, 20], [5, 5], [40, 30]], [1, 2, 3]), 1),
    ):
        answers = []
        for said_1TC in (word_11C, word_11C[:, :0]):
            ours, wanted = both(exported, prompt, has_mask=has_mask, text_1TC=said_1TC)
            np.testing.assert_allclose(ours[0], wanted[0], atol=1e-4, rtol=1e-4)
            np.testing.assert_allclose(ours[1], wanted[1], atol=1e-4)
            answers.append(ours[0])
        assert np.abs(answers[0] - answers[1]).max() > 0.01


@pytest.fixture
def reader(model):
    """A predictor of a model that takes texts of 16 numbers."""
    model.take_text(TextProjection.Config(width=16, encoder="minilm", fingerprint="0" * 16))
    return Predictor(model)


def text(seed):
    vector = np.random.default_rng(seed).normal(size=16).astype(np.float32)
    return vector / np.linalg.norm(vector)


def test_another_text_gets_another_answer(reader, photo):
    answers = [reader.predict(photo, Prompt(text=text(seed))).logits_MHW for seed in (0, 1, 0)]
    assert np.abs(answers[0] - answers[1]).max() > 0.01
    np.testing.assert_array_equal(answers[0], answers[2])


def test_a_lone_text_gives_three_masks_and_one_with_anything_else_one(reader, photo):
    assert len(reader.predict(photo, Prompt(text=text(0))).logits_MHW) == 3
    click = ((30.5, 20.5),)
    side = reader.logits_side
    for more in (
        Prompt(click, (1,), text=text(0)),
        Prompt(box=(5, 5, 40, 30), text=text(0)),
        Prompt(mask=np.zeros((side, side), np.float32), text=text(0)),
    ):
        assert len(reader.predict(photo, more).logits_MHW) == 1


def test_texts_and_other_prompts_in_one_pass_are_answered_as_one_by_one(reader, photo):
    click = ((30.5, 20.5),)
    prompts = [Prompt(text=text(0)), Prompt(click, (1,)), Prompt(click, (1,), text=text(1)), Prompt(text=text(2))]
    for together, alone in zip(
        reader.predict_many(photo, prompts), map(reader.predict, [photo] * 4, prompts), strict=True
    ):
        np.testing.assert_allclose(together.logits_MHW, alone.logits_MHW, atol=1e-4)


def test_a_text_is_one_token_before_the_points(reader, photo):
    """(And a padding point after them, where there is no box.)"""
    model = reader.model
    with torch.inference_mode():
        token = model.text_tokens(torch.from_numpy(text(0))[None])
        tokens = torch.cat([token, model.prompt_encoder.not_a_point_embed.weight[None]], dim=1)
        logits, _ = model.mask_decoder(
            torch.from_numpy(photo.embedding.astype(np.float32))[None],
            model.prompt_encoder.image_positions(),
            tokens,
            model.prompt_encoder.dense(None, None, 1),
        )
    answer = reader.predict(photo, Prompt(text=text(0)))
    np.testing.assert_allclose(np.sort(answer.logits_MHW, axis=0), np.sort(logits[0, 1:].numpy(), axis=0), atol=1e-5)


@pytest.mark.parametrize("wrong", [np.zeros(3, np.float32), np.full(16, np.nan, np.float32)])
def test_a_vector_of_another_encoder_is_refused(reader, photo, wrong):
    with pytest.raises(PromptInvalid, match="16 finite numbers"):
        reader.predict(photo, Prompt(text=wrong))


def test_a_model_that_takes_no_text_says_what_it_lacks(predictor, photo):
    with pytest.raises(CheckpointInvalid, match="no text projection"):
        predictor.predict(photo, Prompt(text=text(0)))
