"""The page's decoder, run here as the page runs it: ONNX, the same frames, the same rule for pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.launch.sentence import Sentence
from engine import api as engine

Logits = NDArray[np.float32]
Pixels = NDArray[np.bool_]
Point = tuple[float, float]
Box = tuple[float, float, float, float]

#: What stands for certainly inside in logits that are made of a mask; see the page's `maskToLogits`.
CERTAIN = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the masks for a prompt.

    Attributes:
        index: which of the three ambiguity masks; None: the single mask.
    """

    index: int | None
    predicted_iou: float
    stability: float
    logits_HW: Logits
    mask_HW: Pixels


class Decoder:
    """
    Args:
        graph: the exported decoder, as the server hands it to pages.
        threads: of the processor.
    Raises:
        Sentence: ONNX Runtime is not installed.
    """

    def __init__(self, graph: bytes, *, input_side: int, embedding_shape: Sequence[int], threads: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise Sentence("Simulated people run the page's decoder in ONNX Runtime: `make dev` installs it.") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._takes_text = any(given.name == "text_tokens" for given in self._session.get_inputs())
        self.input_side, self.shape = input_side, tuple(embedding_shape)
        self.side = 4 * self.shape[1]

    def embedding(self, content: bytes) -> NDArray[np.float32]:
        return np.frombuffer(content, np.float16).reshape(1, *self.shape).astype(np.float32)

    def answer(
        self,
        embedding: NDArray[np.float32],
        size: tuple[int, int],
        points: Sequence[Point],
        labels: Sequence[int],
        fed_back_HW: Logits | None = None,
        box: Box | None = None,
    ) -> list[Answer]:
        """Best first: three for a lone click or a lone box, else one.

        Args:
            size: (height, width) of the photo.
            fed_back_HW: logits of the answer before.
        """
        coords_N2, labels_N = engine.prompt_for_decoder(points, labels, box, size, self.input_side)
        said: dict[str, Any] = {
            "image_embedding": embedding,
            "point_coords": coords_N2[None],
            "point_labels": labels_N[None],
            "mask_input": np.zeros((1, 1, self.side, self.side), np.float32)
            if fed_back_HW is None
            else fed_back_HW[None, None],
            "has_mask_input": np.array([fed_back_HW is not None], np.float32),
        }
        if self._takes_text:
            said["text_tokens"] = np.zeros((1, 0, self.shape[0]), np.float32)
        logits, ious = self._session.run(["low_res_logits", "iou_predictions"], said)
        is_ambiguous = len(points) + (box is not None) == 1 and fed_back_HW is None
        shown = (1, 2, 3) if is_ambiguous else (0,)
        frame = (size, self.input_side)
        found = [
            Answer(
                None if channel == 0 else channel - 1,
                float(ious[0, channel]),
                float(engine.stability(logits[0, channel][None], *frame)[0]),
                logits[0, channel],
                engine.logits_to_mask(engine.tidied(logits[0, channel], *frame, points, labels), *frame),
            )
            for channel in shown
        ]
        return sorted(found, key=lambda one: -one.predicted_iou)

    def logits_of(self, mask_HW: Pixels) -> Logits:
        """A mask as the prompt encoder takes it: each cell has the share of its pixels that are inside, from -10 to 10."""
        height, width = mask_HW.shape
        down, across = engine.scale_to_model((height, width), self.input_side, self.side)
        rows, columns = _shares(height, down, self.side), _shares(width, across, self.side)
        inside: Logits = rows @ mask_HW.astype(np.float32) @ columns.T
        return (CERTAIN * (2 * np.minimum(inside, 1) - 1)).astype(np.float32)


def _shares(pixels: int, scale: float, side: int) -> NDArray[np.float32]:
    """(side, pixels): how much of each cell a pixel covers."""
    edges = np.arange(pixels + 1) * scale
    cells = np.arange(side)[:, None]
    covered = np.minimum(edges[None, 1:], cells + 1) - np.maximum(edges[None, :-1], cells)
    return np.clip(covered, 0, None).astype(np.float32)
