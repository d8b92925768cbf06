"""A photo's boxes, from its embedding -- N boxes, K size classes, G x G cells.

detector = Detector.load(path)
for found in detector.detect(embedding, (height, width), encoder_hash=checkpoint.encoder_hash): ...
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.detector.calibration import Calibration
from engine.detector.files import read_detector
from engine.detector.head import DetectorHead
from engine.detector.quality import Quality
from engine.errors import DetectorInvalid, PromptInvalid
from engine.masks.boxes import non_maximum_suppression
from engine.model.preprocessing import fitted_size, scale_to_model

#: As many as MobileSAMv2 gives the mask decoder (arXiv 2312.09579).
MAX_BOXES = 320
#: Two boxes that overlap by more IoU than this are one object's.
NMS_IOU = 0.6
#: Answers that go on to suppression, best first: thousands of cells at 0.1% would only cost time.
CANDIDATES = 1500
#: Boxes that are objects in fewer cases are not made masks: that would only cost time.
LEAST_CONFIDENCE = 0.05


@dataclass(frozen=True, slots=True)
class DetectedBox:
    """
    Attributes:
        box: (x0, y0, x1, y1) in pixels of the upright photo, far edges excluded; as `Prompt.box` takes it.
        confidence: probability that this is an object's box; see `engine.detector.calibration`.
    """

    box: tuple[float, float, float, float]
    confidence: float

    @property
    def middle(self) -> tuple[float, float]:
        """(x, y)."""
        x0, y0, x1, y1 = self.box
        return (x0 + x1) / 2, (y0 + y1) / 2


class Detector:
    """A trained head, the calibration of its scores, and that of the masks which one decoder makes of its boxes."""

    def __init__(self, head: DetectorHead, calibration: Calibration, quality: Quality, encoder_hash: str) -> None:
        self.head, self.calibration, self.quality = head.eval(), calibration, quality
        self.encoder_hash = encoder_hash

    @classmethod
    def load(cls, path: Path) -> "Detector":
        """
        Raises:
            DetectorInvalid: see `engine.detector.files`.
        """
        info, head, calibration, quality = read_detector(path)
        return cls(head, calibration, quality, info.encoder_hash)

    def detect(
        self,
        embedding: NDArray[np.floating[Any]],
        size: tuple[int, int],
        *,
        encoder_hash: str,
        min_confidence: float = 0.0,
        nms_iou: float = NMS_IOU,
        limit: int = MAX_BOXES,
    ) -> list[DetectedBox]:
        """The photo's boxes, most confident first.

        Args:
            embedding: (C, G, G).
            size: (height, width) of the upright photo in pixels.
            encoder_hash: of the checkpoint that made the embedding.
            min_confidence: see `Calibration.threshold_for_precision`.
        Raises:
            DetectorInvalid: the embedding is another encoder's, or of another shape.
            PromptInvalid: the size is not a photo's, or the embedding holds what is not a number.
        """
        if encoder_hash != self.encoder_hash:
            raise DetectorInvalid(
                f"this detector reads embeddings of the encoder {self.encoder_hash[:12]}, not of {encoder_hash[:12]}"
            )
        return detected(self.head, self.calibration, embedding, size, min_confidence, nms_iou=nms_iou, limit=limit)


def detected(
    head: DetectorHead,
    calibration: Calibration,
    embedding: NDArray[np.floating[Any]],
    size: tuple[int, int],
    min_confidence: float = 0.0,
    *,
    nms_iou: float = NMS_IOU,
    limit: int = MAX_BOXES,
) -> list[DetectedBox]:
    """See `Detector.detect`."""
    boxes_N4, scores_N = propose(head, embedding, size, nms_iou=nms_iou, limit=limit)
    confidences_N = calibration.confidence(scores_N)
    return [
        DetectedBox((float(box[0]), float(box[1]), float(box[2]), float(box[3])), float(confidence))
        for box, confidence in zip(boxes_N4, confidences_N, strict=True)
        if confidence >= min_confidence
    ]


@torch.inference_mode()
def propose(
    head: DetectorHead,
    embedding: NDArray[np.floating[Any]],
    size: tuple[int, int],
    *,
    nms_iou: float = NMS_IOU,
    limit: int = MAX_BOXES,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes (N, 4) in the photo's pixels and their scores (N,), 0 to 1 but not calibrated, best first.

    Raises:
        DetectorInvalid, PromptInvalid: see `Detector.detect`.
    """
    height, width = size
    if height < 1 or width < 1:
        raise PromptInvalid(f"a photo's size is (height, width) of at least 1 px each, not {tuple(size)}")
    if embedding.ndim != 3 or not np.isfinite(embedding).all():
        raise PromptInvalid(f"an embedding is (C, G, G) of finite numbers, this has the shape {embedding.shape}")
    config = head.config
    down, across = scale_to_model(size, config.image_side)
    device = head.enter.weight.device
    photo_B2 = torch.tensor([fitted_size(size, config.image_side)], dtype=torch.float32, device=device)
    prediction = head(torch.from_numpy(np.asarray(embedding, np.float32))[None].to(device), photo_B2)
    scores_KGG = prediction.logits_BKGG[0].sigmoid()
    # Cells of the padding answer for nothing.
    centres_G = (np.arange(config.grid) + 0.5) * config.stride
    is_photo_GG = (centres_G[:, None] / down < height) & (centres_G[None, :] / across < width)
    scores_N = np.where(is_photo_GG, scores_KGG.cpu().numpy(), 0.0).ravel().astype(np.float64)
    best = np.argsort(-scores_N, kind="stable")[:CANDIDATES]
    best = best[scores_N[best] > 0]
    boxes_N4 = prediction.boxes_BKGG4[0].cpu().numpy().reshape(-1, 4)[best].astype(np.float64)
    boxes_N4 = np.clip(boxes_N4 / (across, down, across, down), 0, np.array([width, height, width, height], np.float64))
    # A prompt needs area, and what lies outside the photo has none left.
    has_area = (boxes_N4[:, 2:] - boxes_N4[:, :2]).min(axis=1, initial=np.inf) >= 1.0
    boxes_N4, scores_N = boxes_N4[has_area], scores_N[best][has_area]
    kept = non_maximum_suppression(boxes_N4, scores_N, nms_iou, limit=limit)
    return boxes_N4[kept], scores_N[kept]
