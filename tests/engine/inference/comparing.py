"""Masks of everything-mode beside the plain one's."""

from collections.abc import Sequence

from engine.masks import Rle, iou
from tests.engine.inference.plain_everything import PlainMask


def compare(wanted: Sequence[PlainMask], found: Sequence[Rle]) -> tuple[int, float]:
    """How many of the plain masks were found run length by run length, and the least IoU of one with what is most like it."""
    expected = [as_ours(one) for one in wanted]
    there = {rle["counts"] for rle in found}
    return sum(rle["counts"] in there for rle in expected), float(iou(expected, found).max(axis=1).min())


def as_ours(mask: PlainMask) -> Rle:
    return Rle(size=list(mask.rle["size"]), counts=mask.rle["counts"].decode())
