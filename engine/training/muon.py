"""Muon: steps that are orthogonal matrices -- a weight as R rows and C columns.

A few directions dominate a layer's gradient. Muon makes all of its singular values about one, so rare directions are learnt
as fast as frequent ones (Jordan, 2024, "Muon: an optimizer for hidden layers in neural networks"), and a step is worth more
than one of AdamW's. torch's own Muon takes matrices only and iterates in bfloat16, for which many processors have no
instructions: there it takes forty times as long.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

#: Of the quintic iteration: the steepest slope at zero for which singular values stay within 0.7..1.2 (Jordan, 2024).
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
MOMENTUM = 0.95
#: The root mean square of AdamW's steps, which makes its rates and decays ours (Liu et al., 2025, "Muon is scalable for LLM
#: training", section 2.2).
STEP_RMS = 0.2


def orthogonalised(matrix_RC: Tensor) -> Tensor:
    """A matrix with the same singular vectors, and singular values of about 1 (0 where they are 0)."""
    is_tall = matrix_RC.shape[0] > matrix_RC.shape[1]
    wide = matrix_RC.T if is_tall else matrix_RC
    a, b, c = NEWTON_SCHULZ
    x = wide / (wide.norm() + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        squared = x @ x.T
        x = torch.addmm(x, torch.addmm(squared, squared, squared, beta=b, alpha=c), x, beta=a)
    return x.T if is_tall else x


class Muon(Optimizer):
    """
    Args:
        params: tensors of two axes or more; the first is the rows, the others together the columns.
        lr, weight_decay: as AdamW's.
    """

    def __init__(self, params: Iterable[Any], lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        assert closure is None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                momentum = state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
                ahead_RC = weight.grad.lerp(momentum, MOMENTUM).flatten(1)  # Nesterov's
                step_RC = orthogonalised(ahead_RC) * (STEP_RMS * max(ahead_RC.shape) ** 0.5)
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(step_RC.view_as(weight), alpha=group["lr"])
