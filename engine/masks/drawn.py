"""Many masks of one photo -- H x W pixels."""

from collections.abc import Callable, Iterable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray


class Masks(Sequence[NDArray[np.bool_]]):
    """(H, W) each, drawn when it is asked for and kept by nobody here: all at once, 1,000 of 12 megapixels take 12 GB."""

    def __init__(self, draw: Iterable[Callable[[], NDArray[np.bool_]]]) -> None:
        """
        Args:
            draw: one for each mask; what it raises, asking for the mask raises.
        """
        self._draw = list(draw)

    def __len__(self) -> int:
        return len(self._draw)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.bool_]: ...
    @overload
    def __getitem__(self, index: slice) -> "Masks": ...
    def __getitem__(self, index: int | slice) -> "NDArray[np.bool_] | Masks":
        return Masks(self._draw[index]) if isinstance(index, slice) else self._draw[index]()

    def only(self, indices: Iterable[int]) -> "Masks":
        """Those, in this order; none is drawn."""
        return Masks(self._draw[index] for index in indices)
