"""What the trainer takes, and who gives it -- I photos, B objects, S input side, C channels, G = grid, H = W = 4 G."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engine.data.samples import ScaleDrawn


@dataclass(frozen=True, slots=True)
class Pick:
    """What a person said first about an object, and which of the three masks they took.

    Attributes:
        said: x, y and label of the point, or of a box's two corners; in the model frame.
        token: 0..2, of the ambiguity masks in the decoder's order.
    """

    said: tuple[tuple[float, float, int], ...]
    token: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Photos, or their embeddings, and objects in them.

    Attributes:
        images: (I, 3, S, S) RGB 0..255, or (I, C, G, G) embeddings.
        owner: which image each object is in, (B,).
        truth: (B, H, W) booleans at the logits' resolution.
        text: what each object may be asked for with, (B, D), zeros where there is nothing; None: none of them has a text.
        picks: of each object, or None; empty: of none.
    """

    images: Tensor
    owner: NDArray[np.int64]
    truth: NDArray[np.bool_]
    text: NDArray[np.float32] | None = None
    picks: tuple[Pick | None, ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceBatch:
    """The same where training is; without texts.

    Attributes:
        images: (I, 3, S, S) RGB 0..255.
        owner: (B,), ascending.
        truth: (B, H, W).
    """

    images: Tensor
    owner: Tensor
    truth: Tensor


class Wanted(Protocol):
    """What a batch shall hold: `photos` windows of `side` pixels, with at most `objects` in each.

    Photos are shown with a longest side of `scale` (low, high) times the model's full input side, drawn as `Phase` says.
    """

    @property
    def side(self) -> int: ...
    @property
    def photos(self) -> int: ...
    @property
    def objects(self) -> int: ...
    @property
    def scale(self) -> tuple[float, float]: ...
    @property
    def scale_drawn(self) -> ScaleDrawn: ...


class Source(Protocol):
    """Where batches come from. Must depend on nothing but its arguments."""

    holds_embeddings: bool

    def batch(self, wanted: Wanted, rng: np.random.Generator) -> Batch | DeviceBatch: ...
