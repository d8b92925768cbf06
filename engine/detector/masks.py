"""Detected boxes made masks by the promptable model (SAM-p, section 4: the semi-automatic stage).

masks_of_boxes(predictor, photo, detector.detect(photo.embedding, photo.size, encoder_hash=...))
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.detector.detect import DetectedBox
from engine.inference.predictor import EmbeddedPhoto, Predictor, Prompt
from engine.masks import Rle, area, bbox, encode, iou

#: Prompts that go through the decoder together.
BATCH = 32
#: Two boxes whose masks overlap by more IoU than this were of one object: the more confident one stays.
SAME_OBJECT_IOU = 0.7


@dataclass(frozen=True, slots=True)
class BoxMask:
    """
    Attributes:
        box: of the mask, (x0, y0, x1, y1) in pixels, far edges excluded.
        area: pixels.
        predicted_iou, stability_score: the model's own, of the mask that it likes best.
        prompt_box, confidence: of the detector; see `DetectedBox`.
    """

    rle: Rle
    box: tuple[int, int, int, int]
    area: int
    predicted_iou: float
    stability_score: float
    prompt_box: tuple[float, float, float, float]
    confidence: float


def masks_of_boxes(predictor: Predictor, photo: EmbeddedPhoto, boxes: Sequence[DetectedBox]) -> list[BoxMask]:
    """One mask a box, most confident first; boxes whose mask is empty, or another box's, are passed over.

    Raises:
        PromptInvalid: a box is empty or outside the photo; the embedding is another model's.
    """
    kept: list[BoxMask] = []
    in_order = sorted(boxes, key=lambda found: -found.confidence)
    for start in range(0, len(in_order), BATCH):
        some = in_order[start : start + BATCH]
        for found, answer in zip(some, predictor.predict_many(photo, [Prompt(box=b.box) for b in some]), strict=True):
            mask_HW = answer.mask()
            if not mask_HW.any():
                continue
            rle = encode(mask_HW)
            if kept and float(np.max(iou([rle], [one.rle for one in kept]))) > SAME_OBJECT_IOU:
                continue
            kept.append(
                BoxMask(
                    rle=rle,
                    box=bbox(rle),
                    area=area(rle),
                    predicted_iou=float(answer.predicted_iou_M[0]),
                    stability_score=float(answer.stability_M[0]),
                    prompt_box=found.box,
                    confidence=found.confidence,
                )
            )
    return kept
