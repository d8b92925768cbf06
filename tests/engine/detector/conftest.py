"""Drawn scenes as records, and a predictor with random weights to embed them."""

from functools import partial
from pathlib import Path

import cv2
import pytest

from engine.data.records import Record
from engine.detector.examples import Embedder
from engine.inference.predictor import Predictor
from engine.model.checkpoint import describe_checkpoint
from tests.conftest import scene


@pytest.fixture
def scenes(tmp_path):
    """Makes records of scenes; whoever draws them knows every object."""

    def make(count: int, first_seed: int = 0, complete: bool | None = True) -> list[Record]:
        records = []
        for seed in range(first_seed, first_seed + count):
            rgb, masks = scene(48, 64, seed)
            path = tmp_path / f"{seed}.png"
            cv2.imwrite(str(path), rgb[..., ::-1])
            records.append(Record(str(seed), path, partial(list, masks), size=rgb.shape[:2], complete=complete))
        return records

    return make


@pytest.fixture
def encoder_hash(weights):
    return describe_checkpoint(weights).encoder_hash


@pytest.fixture
def embedder(model, encoder_hash, weights, tmp_path: Path):
    decoder_hash = describe_checkpoint(weights).decoder_hash
    return Embedder(Predictor(model), encoder_hash, decoder_hash, tmp_path / "embeddings")
