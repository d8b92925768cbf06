"""Modules with names and shapes and no numbers yet."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


@contextmanager
def unfilled() -> Iterator[None]:
    """Modules that are built meanwhile are on the meta device, and wait for a file's tensors."""
    with torch.device("meta"), _NothingIsDrawn():
        yield


class _NothingIsDrawn(TorchFunctionMode):
    """Normally distributed weights stay undrawn: on the meta device, drawing them loads torch's compiler, which takes
    longer than everything else about a checkpoint."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in (nn.init.normal_, Tensor.normal_):
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return function(*args, **kwargs)
