"""The simulated annotator's hand, all objects at once and where they are -- B prompts, H x W cells of the logits.

`engine.training.annotator` clicks object by object on the CPU, which a fast device waits for. What is clicked is the same, but
for the middle of an object: here it is where most layers of cells, diagonals included, are to be peeled off; there it is exact.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.data.on_device import random_cells
from engine.model.prompt_encoder import BACKGROUND, BOX_END, BOX_START, FOREGROUND, PADDING
from engine.training.run import Phase

#: Layers that are counted; deeper than this all is middle.
MOST_LAYERS = 48


class DeviceHand:
    """See `engine.training.annotator.Hand`.

    Args:
        truth_BHW: booleans; none may be empty.
        to_frame: model pixels per cell.
    """

    def __init__(self, truth_BHW: Tensor, phase: Phase, to_frame: float, generator: torch.Generator) -> None:
        self.truth_BHW, self.to_frame, self.generator = truth_BHW, to_frame, generator
        boxes_B22 = self._noisy_boxes(phase.box_noise * truth_BHW.shape[2]) * to_frame
        points_B2 = self._framed(self._first_cells(phase.middle_share))
        is_box_B = self._lots(len(truth_BHW)) < phase.box_share
        nothing_B22 = torch.stack(
            [points_B2, torch.zeros_like(points_B2)], dim=1
        )  # a point is followed by a padding point
        self.points_BN2 = torch.where(is_box_B[:, None, None], boxes_B22, nothing_B22)
        as_box, as_point = (
            torch.tensor(pair, device=truth_BHW.device, dtype=torch.float32)
            for pair in ((BOX_START, BOX_END), (FOREGROUND, PADDING))
        )
        self.labels_BN = torch.where(is_box_B[:, None], as_box, as_point)

    def prompts(self) -> tuple[Tensor, Tensor]:
        return self.points_BN2, self.labels_BN

    def correct(self, logits_B1HW: Tensor, count: int) -> None:
        wrong_BHW = self.truth_BHW ^ (logits_B1HW[:, 0] > 0)
        # A perfect answer gets a point inside the truth: it must do no harm.
        where_BHW = torch.where(wrong_BHW.flatten(1).any(1)[:, None, None], wrong_BHW, self.truth_BHW)
        for _ in range(count):
            cells_B2 = random_cells(where_BHW, self.generator)
            is_inside_B = self.truth_BHW[
                torch.arange(len(cells_B2), device=cells_B2.device), cells_B2[:, 1], cells_B2[:, 0]
            ]
            labels_B1 = torch.where(is_inside_B, float(FOREGROUND), float(BACKGROUND)).unsqueeze(1)
            self.points_BN2 = torch.cat([self.points_BN2, self._framed(cells_B2).unsqueeze(1)], dim=1)
            self.labels_BN = torch.cat([self.labels_BN, labels_B1], dim=1)

    def _first_cells(self, middle_share: float) -> Tensor:
        anywhere_B2 = random_cells(self.truth_BHW, self.generator)
        if not middle_share:
            return anywhere_B2
        depth_BHW = depths(self.truth_BHW)
        middle_BHW = depth_BHW == depth_BHW.amax(dim=(1, 2), keepdim=True)
        is_middle_B = self._lots(len(anywhere_B2)) < middle_share
        return torch.where(is_middle_B[:, None], random_cells(middle_BHW, self.generator), anywhere_B2)

    def _noisy_boxes(self, most: float) -> Tensor:
        """(B, 2, 2), in cells; see `noisy_box`."""
        edges = []
        for axis in (1, 2):  # of columns, which are there in any row; then of rows
            there = self.truth_BHW.any(dim=axis).long()
            length = there.shape[1]
            low, high = there.argmax(1).float(), length - there.flip(1).argmax(1).float()
            noise_2B = torch.randn(2, len(there), generator=self.generator, device=there.device) * 0.1 * (high - low)
            noise_2B = noise_2B.clamp(-most, most)
            moved_low, moved_high = (low + noise_2B[0]).clamp(0, length), (high + noise_2B[1]).clamp(0, length)
            edges.append((torch.minimum(moved_low, moved_high - 1), torch.maximum(moved_high, moved_low + 1)))
        (x0, x1), (y0, y1) = edges
        return torch.stack([torch.stack([x0, y0], 1), torch.stack([x1, y1], 1)], 1)

    def _framed(self, cells_B2: Tensor) -> Tensor:
        return (cells_B2 + 0.5) * self.to_frame - 0.5

    def _lots(self, count: int) -> Tensor:
        return torch.rand(count, generator=self.generator, device=self.truth_BHW.device)


def depths(region_BHW: Tensor) -> Tensor:
    """How many layers of cells have to be peeled off to reach a cell; 0 outside. The image's edge is a border."""
    left_B1HW = region_BHW[:, None].float()
    depth_B1HW = torch.zeros_like(left_B1HW)
    for layer in range(MOST_LAYERS):
        depth_B1HW += left_B1HW
        left_B1HW = -F.max_pool2d(-F.pad(left_B1HW, (1, 1, 1, 1)), 3, stride=1)
        if layer % 8 == 7 and not left_B1HW.any():  # asked seldom: the device has to be waited for
            break
    return depth_B1HW[:, 0]
