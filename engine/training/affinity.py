"""A cheap lesson for an encoder that starts from nothing -- B photos, K objects, P = G x G cells.

The embedding at one cell of an object, told where that is, must find the object's other cells, through a small query
network and a dot product: what the mask decoder will ask of the embedding, at a hundredth of its cost, for every
object of the photo at once. The network is thrown away afterwards. It needs only the object's own
mask, so partly labelled photos teach nothing false.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.training.losses import dice_loss


class Affinity(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels + 1))
        self.key = nn.Linear(channels, channels)

    def forward(
        self, embedding_BCGG: Tensor, positions_1CGG: Tensor, cells_BK: Tensor, truth_BKGG: Tensor, real_BK: Tensor
    ) -> Tensor:
        """The loss.

        Args:
            positions_1CGG: `PromptEncoder.image_positions`: without them two objects that look alike are one.
            cells_BK: int64, which cell asks; inside the object.
            truth_BKGG: share of each cell that is the object's, 0..1.
            real_BK: 1 for an object, 0 for filling.
        """
        grid = truth_BKGG.shape[-1]
        embedding_BPC = (embedding_BCGG + positions_1CGG).flatten(2).transpose(1, 2)
        asking_BKC = torch.gather(embedding_BPC, 1, cells_BK.unsqueeze(-1).expand(-1, -1, embedding_BPC.shape[-1]))
        query_BKC, bias_BK1 = self.query(asking_BKC).split([embedding_BPC.shape[-1], 1], dim=-1)
        scale = 1 / math.sqrt(embedding_BPC.shape[-1])
        logits_BKGG = (scale * query_BKC @ self.key(embedding_BPC).transpose(1, 2) + bias_BK1).unflatten(
            2, (grid, grid)
        )
        pixels_BK = F.binary_cross_entropy_with_logits(logits_BKGG, truth_BKGG, reduction="none").mean(dim=(2, 3))
        shape_BK = dice_loss(logits_BKGG.flatten(0, 1)[:, None], truth_BKGG.flatten(0, 1)[:, None]).view_as(real_BK)
        return ((pixels_BK + shape_BK) * real_BK).sum() / real_BK.sum().clamp(min=1)
