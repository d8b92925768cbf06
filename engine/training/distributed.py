"""Several processes that train one model, as `torchrun` starts them.

Each draws micro-batches of its own, and gradients are averaged. Plain sums of gradients, and no wrapper around the model: one
step runs the encoder once and the decoder many times, at a side that changes with the phase. Micro-batches are numbered
through, so two processes with one micro-batch each are one process with two; for running statistics see `RunningStatistics`.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from engine.errors import EngineError

#: Gradients are summed in pieces of about this size: few messages, and little memory beside them.
BUCKET_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Workers:
    """This process's number, and how many there are."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """The one that prints and writes files."""
        return self.rank == 0

    def sum(self, tensors: Iterable[Tensor]) -> None:
        """Each tensor becomes its sum over the processes; all must pass the same shapes in the same order."""
        if self.count == 1:
            return
        for bucket in _buckets(tensors):
            together = torch.cat([tensor.reshape(-1) for tensor in bucket])
            dist.all_reduce(together)
            begin = 0
            for tensor in bucket:
                tensor.copy_(together[begin : begin + tensor.numel()].view_as(tensor))
                begin += tensor.numel()

    def begin_alike(self, model: nn.Module) -> None:
        """Every process takes the first one's weights."""
        if self.count > 1:
            for tensor in model.state_dict().values():
                dist.broadcast(tensor, 0)

    def check_alike(self, model: nn.Module, step: int) -> None:
        """
        Raises:
            EngineError: the processes' weights are no longer the same, or they are not at the same step.
        """
        if self.count == 1:
            return
        sums = [parameter.detach().double().abs().sum() for parameter in model.parameters()]
        own = torch.stack([*sums, torch.full_like(sums[0], step)])
        first = own.clone()
        dist.broadcast(first, 0)
        differ = (own != first).any().to(own).reshape(1)
        dist.all_reduce(differ)
        if differ.item():
            raise EngineError(f"after step {step} the processes' weights differ; do they read the same files?")


@contextmanager
def joined(device: str) -> Iterator[tuple[Workers, str]]:
    """The processes, and this one's device; alone where `torchrun` did not start it.

    Args:
        device: cpu, or cuda, of which each process on a machine gets one.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Workers(), device
        return
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Workers(dist.get_rank(), count), device
    finally:
        dist.destroy_process_group()


class RunningStatistics:
    """Batch normalisation's running means and variances over the micro-batches of a step.

    Each micro-batch, here or in another process, is normalised by itself and moves the statistics from where the step began;
    the step takes the mean of where they went. So it does not matter which process had which.
    """

    def __init__(self, model: nn.Module) -> None:
        norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]
        self._means = [t for m in norms for t in (m.running_mean, m.running_var) if t is not None]
        self._counts = [m.num_batches_tracked for m in norms if m.num_batches_tracked is not None]
        self._before = [t.clone() for t in self._means]
        self._counts_before = [int(count) for count in self._counts]
        self._sums = [torch.zeros_like(t) for t in self._means]

    def micro_batch_done(self) -> None:
        for mean, before, total in zip(self._means, self._before, self._sums, strict=True):
            total += mean
            mean.copy_(before)

    def step_done(self, workers: Workers, micro_batches: int) -> None:
        """
        Args:
            micro_batches: of the step, in all processes.
        """
        workers.sum(self._sums)
        for mean, total in zip(self._means, self._sums, strict=True):
            mean.copy_(total / micro_batches)
        for count, before in zip(self._counts, self._counts_before, strict=True):
            count.fill_(before + micro_batches)


def _buckets(tensors: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    held = 0
    for tensor in tensors:
        bucket.append(tensor)
        held += tensor.numel() * tensor.element_size()
        if held >= BUCKET_BYTES:
            yield bucket
            bucket, held = [], 0
    if bucket:
        yield bucket
