"""What the detector's head is taught -- B photos, K size classes, G x G cells."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.detector.head import Prediction
from engine.detector.targets import Targets

BOX_WEIGHT = 2.0


class DetectionLoss(NamedTuple):
    objectness: Tensor
    box: Tensor
    iou: Tensor  # of the boxes of cells that answer for an object; weighted mean, for the log

    @property
    def total(self) -> Tensor:
        return self.objectness + BOX_WEIGHT * self.box


def detection_loss(prediction: Prediction, targets: Targets) -> DetectionLoss:
    """Objectness and boxes of a batch.

    Objectness is quality focal loss (Li et al., Generalized Focal Loss, 2020, equation 5, beta 2): where a cell answers
    for an object it is taught the IoU of its own box, elsewhere 0, so one number both finds and ranks. Photos that are
    not complete have no negatives. Were their positives added to those of complete photos, the score would rise
    with the share of incomplete photos, and most for what they happen to label; so they teach objectness nothing and
    boxes everything. Boxes are taught by generalised IoU (Rezatofighi et al., 2019) in all photos.

    Each part is a sum divided by the weight of the positives it is about, so neither depends on how many photos
    or objects a batch has.
    """
    is_positive_BKGG = targets.weight_BKGG > 0
    weight_M = targets.weight_BKGG[is_positive_BKGG]
    all_weight = weight_M.sum().clamp(min=1)
    iou_M, giou_M = generalised_iou(prediction.boxes_BKGG4[is_positive_BKGG], targets.boxes_BKGG4[is_positive_BKGG])

    quality_BKGG = torch.zeros_like(prediction.logits_BKGG)
    quality_BKGG[is_positive_BKGG] = iou_M.detach().clamp(0, 1)
    taught_BKGG = targets.negative_BKGG + targets.weight_BKGG * targets.complete_B[:, None, None, None]
    # Chosen before anything is computed: a cell that teaches nothing has a gradient of exactly zero.
    is_taught_BKGG = taught_BKGG > 0
    logits_T, quality_T = prediction.logits_BKGG[is_taught_BKGG], quality_BKGG[is_taught_BKGG]
    focal_T = quality_focal_loss(logits_T, quality_T) * taught_BKGG[is_taught_BKGG]
    complete_weight = (targets.weight_BKGG * targets.complete_B[:, None, None, None]).sum().clamp(min=1)
    return DetectionLoss(
        objectness=focal_T.sum() / complete_weight,
        box=((1 - giou_M) * weight_M).sum() / all_weight,
        iou=(iou_M.detach() * weight_M).sum() / all_weight,
    )


def quality_focal_loss(logits: Tensor, quality: Tensor, beta: float = 2.0) -> Tensor:
    """|quality - p|^beta times the cross-entropy, element by element; `quality` from 0 to 1."""
    cross_entropy = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return (quality - logits.sigmoid()).abs().pow(beta) * cross_entropy


def generalised_iou(boxes_M4: Tensor, others_M4: Tensor) -> tuple[Tensor, Tensor]:
    """(M,) IoU from 0 to 1, and (M,) generalised IoU from -1 to 1, of boxes pair by pair."""
    both_M = _area(torch.maximum(boxes_M4[:, :2], others_M4[:, :2]), torch.minimum(boxes_M4[:, 2:], others_M4[:, 2:]))
    hull_M = _area(torch.minimum(boxes_M4[:, :2], others_M4[:, :2]), torch.maximum(boxes_M4[:, 2:], others_M4[:, 2:]))
    either_M = _area(boxes_M4[:, :2], boxes_M4[:, 2:]) + _area(others_M4[:, :2], others_M4[:, 2:]) - both_M
    iou_M = both_M / either_M.clamp(min=1e-6)
    return iou_M, iou_M - (hull_M - either_M) / hull_M.clamp(min=1e-6)


def _area(low_M2: Tensor, high_M2: Tensor) -> Tensor:
    return (high_M2 - low_M2).clamp(min=0).prod(dim=1)
