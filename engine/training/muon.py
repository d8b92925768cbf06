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
#: Matrices with at least so many rows, and so many times as many columns, are iterated on their small side: for others that is
#: slower. Where products are rounded (TF32) what they round away would grow from step to step, so there none is.
LEAST_ROWS, WIDE = 128, 1.5
MOMENTUM = 0.95
#: The root mean square of AdamW's steps, which makes its rates and decays ours (Liu et al., 2025, "Muon is scalable for LLM
#: training", section 2.2).
STEP_RMS = 0.2


def orthogonalised(matrix_RC: Tensor) -> Tensor:
    """A matrix with the same singular vectors, and singular values of about 1 (0 where they are 0)."""
    is_tall = matrix_RC.shape[0] > matrix_RC.shape[1]
    wide = matrix_RC.T if is_tall else matrix_RC
    x = wide / (wide.norm() + 1e-7)
    rows, columns = x.shape
    is_exact = x.dtype == torch.float32 and (
        x.device.type == "cpu" or torch.get_float32_matmul_precision() == "highest"
    )
    is_wide = rows >= LEAST_ROWS and columns >= WIDE * rows
    x = _on_the_small_side(x) if is_wide and is_exact else _iterated(x)
    return x.T if is_tall else x


def _iterated(x: Tensor) -> Tensor:
    a, b, c = NEWTON_SCHULZ
    for _ in range(NEWTON_SCHULZ_STEPS):
        squared = x @ x.T
        x = torch.addmm(x, torch.addmm(squared, squared, squared, beta=b, alpha=c), x, beta=a)
    return x


def _on_the_small_side(x: Tensor) -> Tensor:
    """The same: each step multiplies from the left by a polynomial of x x^T, all of which commute, so what they come to is
    found on rows x rows, and x is multiplied once."""
    a, b, c = NEWTON_SCHULZ
    squared = x @ x.T
    product = same = torch.eye(len(x), dtype=x.dtype, device=x.device)
    for _ in range(NEWTON_SCHULZ_STEPS):
        step = torch.addmm(a * same + b * squared, squared, squared, beta=1.0, alpha=c)
        product = product @ step
        squared = step @ squared @ step
    return product @ x


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
