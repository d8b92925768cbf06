"""Which cell answers for which object, and which cells are known to be no object's middle.

B photos, N objects, K size classes, G x G cells.

**What is unlabelled is not background.** In a photo that is *known to be complete*, a cell that is no object's middle is
a negative. In any other photo it says nothing at all: an object that nobody has outlined yet may be centred there. That
holds inside labelled objects too, where parts wait to be outlined, and off their middles, where another object may stand
before them: a labelled mask proves what is there, never what is not. So nothing in an incomplete photo is a negative.
(Positive-unlabelled learning would estimate the missing negatives from the share of objects among the unlabelled: Kiryo
et al., 2017. That share is unknown here, differs from photo to photo, and a person's order of work, most prominent
first, breaks the assumption that what is labelled is a fair sample.) Incomplete photos do teach what objects look like
and where their edges are, which needs no negative.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from engine.detector.head import DetectorHead, cell_centres


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """
    Attributes:
        middle: cells whose centre lies within this share of the box, about its middle, answer for the object; the cell
            that holds the middle always does.
        around: cells within this larger share are left alone: their answer is neither right nor wrong.
        blur: an object whose side is within this factor of a bound between size classes is also left alone in the
            neighbouring class.
        smallest: of a box's side in cells; smaller objects teach nothing, and their place is left alone.
    """

    middle: float = 0.25
    around: float = 0.6
    blur: float = 1.3
    smallest: float = 0.35


class Targets(NamedTuple):
    """
    Attributes:
        weight_BKGG: above 0 where the cell answers for an object. An object's cells together weigh the square root of
            their number, times its own weight: a sky's hundred cells teach much the same thing.
        boxes_BKGG4: the object's box there, in pixels of the model frame.
        negative_BKGG: the cell is known to be no object's middle.
        complete_B: see `Example.complete`.
    """

    weight_BKGG: Tensor
    boxes_BKGG4: Tensor
    negative_BKGG: Tensor
    complete_B: Tensor


def size_class(boxes_N4: Tensor, config: DetectorHead.Config) -> Tensor:
    """(N,): which of the K classes a box in the model frame belongs to."""
    return torch.bucketize(_sides(boxes_N4) / config.image_side, torch.tensor(config.size_bounds), right=True)


def assign(
    boxes_N4: Tensor,
    weights_N: Tensor,
    photo_2: Tensor,
    complete: bool,
    config: DetectorHead.Config,
    rules: Assignment | None = None,
    *,
    ignored_GG: Tensor | None = None,
) -> Targets:
    """The targets of one photo, B = 1.

    Args:
        boxes_N4: float, in pixels of the model frame.
        weights_N: at most 1.
        ignored_GG: cells of which nobody says what is there: a crowd, or a band where people disagree.
        photo_2: (height, width) in pixels of the part of the model frame that is photo; cells beyond it are left alone.
    """
    rules = rules or Assignment()
    grid, classes = config.grid, len(config.size_bounds) + 1
    centres_G = cell_centres(config)
    weight_KGG = torch.zeros(classes, grid, grid)
    target_KGG4 = torch.zeros(classes, grid, grid, 4)
    is_known_GG = (centres_G[:, None] < photo_2[0]) & (centres_G[None, :] < photo_2[1])
    negative_KGG = is_known_GG.expand(classes, -1, -1).clone()
    sides_N = _sides(boxes_N4)
    class_N = size_class(boxes_N4, config)
    # From large to small: where two objects of a class want one cell, the smaller, which has fewer, gets it.
    for index in sides_N.argsort(descending=True, stable=True).tolist():
        box_4, side, own = boxes_N4[index], sides_N[index], int(class_N[index])
        around_GG = _within(box_4, rules.around, centres_G, config.stride)
        for neighbour in {int(size_class(box_4[None] * factor, config)) for factor in (1 / rules.blur, 1, rules.blur)}:
            negative_KGG[neighbour][around_GG] = False
        if side < rules.smallest * config.stride:
            continue
        middle_GG = _within(box_4, rules.middle, centres_G, config.stride) & is_known_GG
        weight_KGG[own][middle_GG] = weights_N[index] / middle_GG.sum().clamp(min=1).sqrt()
        target_KGG4[own][middle_GG] = box_4
    negative_KGG &= weight_KGG == 0
    if ignored_GG is not None:
        negative_KGG &= ~ignored_GG
    if not complete:
        negative_KGG[:] = False
    return Targets(weight_KGG[None], target_KGG4[None], negative_KGG[None], torch.tensor([complete]))


def together(targets: list[Targets]) -> Targets:
    """Of several photos, along B."""
    return Targets(*(torch.cat(parts) for parts in zip(*targets, strict=True)))


def _within(box_4: Tensor, share: float, centres_G: Tensor, stride: float) -> Tensor:
    """(G, G): cells whose centre lies in the box shrunk to `share`, and the cell that holds its middle."""
    near = []
    for low, high in ((box_4[1], box_4[3]), (box_4[0], box_4[2])):  # rows, columns
        middle, half = (low + high) / 2, share * (high - low) / 2
        holds_G = (middle / stride).floor().clamp(0, len(centres_G) - 1) == torch.arange(len(centres_G))
        near.append(holds_G | ((centres_G - middle).abs() <= half))
    return near[0][:, None] & near[1][None, :]


def _sides(boxes_N4: Tensor) -> Tensor:
    """(N,): of a square as large as the box."""
    return (boxes_N4[:, 2:] - boxes_N4[:, :2]).clamp(min=0).prod(dim=1).sqrt()
