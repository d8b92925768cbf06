"""Decoders whose answers are known, in a real one's place."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.data.records import Record
from engine.inference.predictor import Answer, EmbeddedPhoto, Prompt

SIDE = 64
#: What a photo is to be in these tests: as large as the logits, so that a mask comes back pixel by pixel.
SIZE = (SIDE, SIDE)


class Scripted:
    """Answers each prompt with masks that a function makes up: prompt -> [(mask, predicted IoU), ...], best first."""

    image_side = logits_side = SIDE

    def __init__(self, answer: Callable[[Prompt], Sequence[tuple[np.ndarray, float]]]) -> None:
        self.answer = answer
        self.prompts: list[Prompt] = []

    def embed(self, rgb: np.ndarray) -> EmbeddedPhoto:
        return EmbeddedPhoto(np.zeros(1), rgb.shape[:2])

    def predict(self, photo: EmbeddedPhoto, prompt: Prompt) -> Answer:
        return self.predict_many(photo, [prompt])[0]

    def predict_many(self, photo: EmbeddedPhoto, prompts: Sequence[Prompt]) -> list[Answer]:
        self.prompts += prompts
        answers = []
        for prompt in prompts:
            masks, ious = zip(*self.answer(prompt), strict=True)
            logits = np.where(np.stack(masks), 8.0, -8.0).astype(np.float32)
            ones = np.ones(len(ious), np.float32)
            answers.append(Answer(logits, np.array(ious, np.float32), photo.size, self.image_side, ones))
        return answers


@pytest.fixture
def a_record(tmp_path: Path) -> Callable[..., Record]:
    def make(masks: Sequence[np.ndarray], name: str = "photo", ignored: np.ndarray | None = None) -> Record:
        path = tmp_path / f"{name}.png"
        cv2.imwrite(str(path), np.full((*masks[0].shape, 3), 90, np.uint8))
        return Record(name, path, lambda: list(masks), read_ignored=None if ignored is None else lambda: ignored)

    return make


def rectangle(y0: int, x0: int, y1: int, x1: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[y0:y1, x0:x1] = True
    return mask
