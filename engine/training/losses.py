"""What is learnt from one pass of the decoder -- B prompts, M masks, H x W pixels.

Focal and dice as 20 : 1, and the IoU head's squared error (Segment Anything, appendix A; the formulas
are those of SAM 2's published trainer).
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

FOCAL_WEIGHT, DICE_WEIGHT = 20.0, 1.0


class PassLoss(NamedTuple):
    mask: Tensor  # focal and dice, weighted; mean over prompts
    iou: Tensor  # squared error of the predicted IoU; mean over prompts, and over the masks that teach it
    best_iou: Tensor  # true IoU of the best mask; mean over prompts, for the log


def focal_loss(logits_BMHW: Tensor, truth_B1HW: Tensor, gamma: float = 2.0, alpha: float = 0.25) -> Tensor:
    """(B, M): mean over pixels."""
    truth_BMHW = truth_B1HW.expand_as(logits_BMHW)
    cross_entropy = F.binary_cross_entropy_with_logits(logits_BMHW, truth_BMHW, reduction="none")
    probability = torch.sigmoid(logits_BMHW)
    missed = probability + truth_BMHW - 2 * probability * truth_BMHW  # 1 - probability of what is true
    balance = (2 * alpha - 1) * truth_BMHW + (1 - alpha)
    return (balance * missed.pow(gamma) * cross_entropy).mean(dim=(2, 3))


def dice_loss(logits_BMHW: Tensor, truth_B1HW: Tensor) -> Tensor:
    """(B, M): 1 - the soft dice coefficient, both sides plus 1."""
    probability = torch.sigmoid(logits_BMHW)
    both = (probability * truth_B1HW).sum(dim=(2, 3))
    either = probability.sum(dim=(2, 3)) + truth_B1HW.sum(dim=(2, 3))
    return 1 - (2 * both + 1) / (either + 1)


def even_loss(logits_BMHW: Tensor, truth_B1HW: Tensor) -> Tensor:
    """(B, M): cross-entropy in which object and background weigh the same, whatever their sizes."""
    cross_entropy = F.binary_cross_entropy_with_logits(logits_BMHW, truth_B1HW.expand_as(logits_BMHW), reduction="none")
    sides = [
        (cross_entropy * side).sum(dim=(2, 3)) / side.sum(dim=(2, 3)).clamp(min=1)
        for side in (truth_B1HW, 1 - truth_B1HW)
    ]
    return (sides[0] + sides[1]) / 2


@torch.no_grad()
def true_iou(logits_BMHW: Tensor, truth_B1HW: Tensor) -> Tensor:
    """(B, M): IoU of the masks cut at 0."""
    inside, truth = logits_BMHW > 0, truth_B1HW > 0.5
    both = (inside & truth).sum(dim=(2, 3))
    return both / (inside | truth).sum(dim=(2, 3)).clamp(min=1)


#: Of what is learnt from people's picks, beside the squared errors of the predicted IoUs; and how far apart two of those have
#: to be for a choice to be clear. Ours: nothing is published.
PICK_WEIGHT, PICK_TEMPERATURE = 0.1, 0.1


def pass_loss(
    logits_BMHW: Tensor,
    predicted_iou_BM: Tensor,
    truth_B1HW: Tensor,
    *,
    from_nothing: bool = False,
    iou_of_chosen: bool = False,
    picked_B: Tensor | None = None,
) -> PassLoss:
    """Of several masks, only the one with the smallest loss is taught its pixels.

    The IoU head is taught on all of them (SAM 2's change): ranking is learnt from the bad ones too. The error is squared, as
    SAM's (SAM 2 takes its absolute value).

    Args:
        from_nothing: `even_loss` in the focal loss's place. The published loss was made for a pretrained encoder: with
            features that still mean nothing its cheapest answer is the empty mask, and there dice has no slope left.
        iou_of_chosen: the IoU head learns from the mask with the smallest loss alone, as SAM's did.
        picked_B: int64, which mask a person took, -1 where nobody did. That one is taught its pixels instead, whichever is the
            nearest, and the predicted IoUs learn to put it first: a cross-entropy over them.
    """
    pixels_BM = (
        even_loss(logits_BMHW, truth_B1HW) if from_nothing else FOCAL_WEIGHT * focal_loss(logits_BMHW, truth_B1HW)
    )
    losses_BM = pixels_BM + DICE_WEIGHT * dice_loss(logits_BMHW, truth_B1HW)
    iou_BM = true_iou(logits_BMHW, truth_B1HW)
    smallest = losses_BM.min(dim=1)
    chosen_B1 = smallest.indices.unsqueeze(1)
    if picked_B is not None:
        chosen_B1 = torch.where(picked_B >= 0, picked_B, smallest.indices).unsqueeze(1)
    predicted, wanted = predicted_iou_BM, iou_BM
    if iou_of_chosen:
        predicted, wanted = (of_BM.gather(1, chosen_B1) for of_BM in (predicted_iou_BM, iou_BM))
    iou = F.mse_loss(predicted, wanted)
    if picked_B is not None and (picked_B >= 0).any():
        ranked = F.cross_entropy(predicted_iou_BM / PICK_TEMPERATURE, picked_B, ignore_index=-1, reduction="sum")
        iou = iou + PICK_WEIGHT * ranked / len(picked_B)
    return PassLoss(
        mask=losses_BM.gather(1, chosen_B1).mean(),
        iou=iou,
        best_iou=iou_BM.max(dim=1).values.mean(),
    )
