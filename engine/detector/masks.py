"""Detected boxes made masks by the promptable model (SAM-p, section 4: the semi-automatic stage).

masks_of_boxes(predictor, photo, detector.detect(photo.embedding, photo.size, encoder_hash=...), detector.quality)
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.detector.detect import DetectedBox
from engine.detector.quality import BoxMask, Quality, chosen
from engine.inference.frame import logits_to_mask
from engine.inference.predictor import Answer, EmbeddedPhoto, Predictor, Prompt
from engine.inference.tidying import tidied
from engine.masks import area, bbox, encode

#: Prompts that go through the decoder together.
BATCH = 32


def masks_of_boxes(
    predictor: Predictor, photo: EmbeddedPhoto, boxes: Sequence[DetectedBox], quality: Quality
) -> list[BoxMask]:
    """At most one mask a box, the one people would rather take first; boxes whose mask is empty, or another box's, are
    passed over.

    Raises:
        PromptInvalid: a box is empty or outside the photo; the embedding is another model's.
    """
    found = chosen(candidates_of_boxes(predictor, photo, boxes), quality, photo.size)
    confidences = quality.calibration.confidence(np.array([one.confidence for one in found]))
    return [replace(one, confidence=float(chance)) for one, chance in zip(found, confidences, strict=True)]


def candidates_of_boxes(
    predictor: Predictor, photo: EmbeddedPhoto, boxes: Sequence[DetectedBox]
) -> list[list[BoxMask]]:
    """For each box the masks that the box and a click in its middle give, those that are not empty.

    Which is better depends on the model and on the photos: one that was trained on clicks in small round things makes more of
    the click. So both are asked, and `Quality` chooses.
    """
    of_boxes: list[list[BoxMask]] = []
    for start in range(0, len(boxes), BATCH):
        some = boxes[start : start + BATCH]
        prompts = [Prompt(box=one.box) for one in some]
        prompts += [Prompt(points=[one.middle], labels=[1]) for one in some]
        answers = predictor.predict_many(photo, prompts)
        for index, one in enumerate(some):
            both = (_mask_of(answers[index + kind * len(some)], one, is_click=kind == 1) for kind in (0, 1))
            of_boxes.append([mask for mask in both if mask is not None])
    return of_boxes


def _mask_of(answer: Answer, found: DetectedBox, *, is_click: bool) -> BoxMask | None:
    points = [found.middle] if is_click else []
    frame = (answer.size, answer.image_side)
    mask_HW = logits_to_mask(tidied(answer.logits_MHW[0], *frame, points, [1] * len(points)), *frame)
    if not mask_HW.any():
        return None
    rle = encode(mask_HW)
    return BoxMask(
        rle=rle,
        box=bbox(rle),
        area=area(rle),
        predicted_iou=float(answer.predicted_iou_M[0]),
        stability_score=float(answer.stability_M[0]),
        prompt_box=found.box,
        box_confidence=found.confidence,
        is_click=is_click,
    )
