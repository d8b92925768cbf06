"""A decoder whose answers are known, in a real one's place, for everything-mode."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from engine.model.shared_decoder import Answers


class ScriptedClicks:
    """Answers each lone click with masks that a function makes up: (x, y) in the model frame -> [(mask, predicted IoU), ...].

    It is what `label_everything` asks of a predictor: its model, its prompt encoder and its shared decoder in one.
    """

    device = torch.device("cpu")

    def __init__(self, side: int, answer: Callable[[float, float], Sequence[tuple[np.ndarray, float]]]) -> None:
        self.image_side = self.logits_side = side
        self.answer = answer
        self.shared = self.model = self.prompt_encoder = self

    def check_embedding(self, photo: object) -> None:
        pass

    def prepare(self, embedding: torch.Tensor) -> None:
        return None

    def tokens(self, resized: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return resized[:, 0] + 0.5

    def decode(self, side: None, clicks: torch.Tensor) -> Answers:
        iou_B4 = torch.full((len(clicks), 4), -1.0)
        for row, (x, y) in enumerate(clicks.tolist()):
            for which, (_, iou) in enumerate(self.answer(x, y), start=1):
                iou_B4[row, which] = iou
        return Answers(iou_B4, torch.zeros(len(clicks), 4, 1), clicks[:, None])

    def logits(self, answers: Answers, rows: torch.Tensor, masks: slice) -> torch.Tensor:
        drawn = torch.full((len(rows), 4, self.logits_side, self.logits_side), -8.0)
        for number, row in enumerate(rows.tolist()):
            x, y = answers.image_BPC[row, 0].tolist()
            for which, (mask, _) in enumerate(self.answer(x, y), start=1):
                height, width = mask.shape
                drawn[number, which, :height, :width] = torch.from_numpy(np.where(mask, 8.0, -8.0))
        return drawn[:, masks]
