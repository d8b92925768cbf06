"""Bad input gets a sentence that says what was given and what is wanted, or the right result."""

import math
import struct
import zlib

import cv2
import numpy as np
import pytest

from engine.data.records import read_rgb
from engine.errors import DataInvalid, PromptInvalid
from engine.inference.predictor import Predictor, Prompt

NAN = math.nan


@pytest.fixture
def predictor(model):
    return Predictor(model)


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        (Prompt(), "needs a point, a box"),
        (Prompt(((70.0, 5.0),), (1,)), r"\(70, 5\) is outside the photo, 64 x 48 px"),
        (Prompt(((-0.1, 5.0),), (1,)), "outside the photo"),
        (Prompt(((NAN, 5.0),), (1,)), r"\(nan, 5\)"),
        (Prompt(((5.0, 5.0),), (2,)), r"label is 1 \(foreground\) or 0 \(background\), not 2"),
        (Prompt(((5.0, 5.0),), ()), "1 points have 0 labels"),
        (Prompt(box=(5, 5, 5, 30)), "empty or outside"),
        (Prompt(box=(5, 30, 20, 5)), "empty or outside"),
        (Prompt(box=(5, 5, NAN, 30)), "empty or outside"),
        (Prompt(box=(5, 5, 65, 30)), "empty or outside"),
        (Prompt(mask=np.zeros((48, 64), np.float32)), "32 x 32 logits"),
        (Prompt(mask=np.full((32, 32), np.nan, np.float32)), "NaN"),
        (Prompt(mask=np.zeros((32, 32), bool)), "these are bool"),
    ],
)
def test_a_prompt_that_no_mask_can_answer_is_refused_with_a_sentence(predictor, prompt, sentence):
    photo = predictor.embed(np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(ValueError, match=sentence):
        predictor.predict(photo, prompt)


def test_an_embedding_that_is_not_all_numbers_is_refused_with_a_sentence(predictor):
    photo = predictor.embed(np.zeros((48, 64, 3), np.uint8))
    photo.embedding[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity in it: embed the photo anew"):
        predictor.predict(photo, Prompt(((5.0, 5.0),), (1,)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 20_000), (20_000, 1), (3, 2)])
def test_a_photo_of_any_shape_gets_a_mask_of_its_own_size(predictor, shape):
    photo = predictor.embed(np.full((*shape, 3), 90, np.uint8))
    assert np.isfinite(photo.embedding.astype(np.float32)).all()
    answer = predictor.predict(photo, Prompt(((shape[1] / 2, shape[0] / 2),), (1,)))
    assert answer.mask().shape == shape


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.uint16),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
    ],
    ids=["grey", "RGBA", "16 bits", "floats", "empty"],
)
def test_pixels_that_are_not_8_bit_rgb_are_refused_and_named(predictor, pixels):
    with pytest.raises(PromptInvalid, match=rf"\(height, width, 3\) of uint8, not .*{pixels.dtype}"):
        predictor.embed(pixels)


@pytest.mark.parametrize("kind", ["grey", "RGBA", "16 bits"])
def test_files_of_other_kinds_are_read_as_rgb(tmp_path, kind):
    rgb = np.zeros((4, 5, 3), np.uint8)
    rgb[..., 0], rgb[..., 1], rgb[..., 2] = 200, 100, 50
    stored = {
        "grey": np.full((4, 5), 120, np.uint8),
        "RGBA": np.dstack([rgb[..., ::-1], np.full((4, 5), 255, np.uint8)]),
        "16 bits": rgb[..., ::-1].astype(np.uint16) * 257,
    }[kind]
    cv2.imwrite(str(tmp_path / "photo.png"), stored)
    wanted = np.full((4, 5, 3), 120, np.uint8) if kind == "grey" else rgb
    np.testing.assert_array_equal(read_rgb(tmp_path / "photo.png"), wanted)


def test_a_file_that_is_no_photo_is_named(tmp_path):
    (tmp_path / "notes.jpg").write_text("not a photo")
    with pytest.raises(DataInvalid, match=r"notes\.jpg is not a photo"):
        read_rgb(tmp_path / "notes.jpg")


def test_a_photo_with_more_pixels_than_can_be_read_is_named(tmp_path):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">II", 40_000, 40_000) + bytes([8, 2, 0, 0, 0])
    (tmp_path / "vast.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"nothing"))
    with pytest.raises(DataInvalid, match=r"vast\.png is too large a photo"):
        read_rgb(tmp_path / "vast.png")


def test_photos_embedded_together_are_as_if_embedded_alone(predictor):
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 255, (height, width, 3), np.uint8) for height, width in ((40, 60), (64, 20), (9, 9))]
    for together, alone in zip(predictor.embed_many(photos), map(predictor.embed, photos), strict=True):
        assert together.size == alone.size
        np.testing.assert_allclose(together.embedding.astype(float), alone.embedding.astype(float), atol=2e-3)


def test_an_unstable_single_mask_gives_way_to_the_best_of_the_three(model):
    two_clicks = Prompt(((20.5, 20.5), (40.5, 30.5)), (1, 1))
    rgb = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)
    plain, careful = Predictor(model), Predictor(model, stability_fallback=True)
    photo = plain.embed(rgb)
    single = plain.predict(photo, two_clicks)
    # Random weights: logits of about 0.1, so cutting them at +-0.05 changes the mask.
    answer = careful.predict(photo, two_clicks)
    assert len(answer.logits_MHW) == 1
    assert not np.array_equal(answer.logits_MHW, single.logits_MHW)
    for mlp in model.mask_decoder.output_hypernetworks_mlps:
        mlp.layers[-1].weight.data *= 1000
        mlp.layers[-1].bias.data *= 1000
    steady = careful.predict(photo, two_clicks)
    np.testing.assert_array_equal(steady.logits_MHW, plain.predict(photo, two_clicks).logits_MHW)
