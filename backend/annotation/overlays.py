"""A photo's masks as one small picture to lay over its thumbnail."""

import colorsys
import hashlib
import io
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from backend.annotation.models import Mask
from backend.common.storage import get_storage
from backend.datasets.models import Image
from engine.masks.rle import run_lengths

SIDE_PX = 256  # as the thumbnail's
COLOURS = 24
FILL_ALPHA, EDGE_ALPHA = 84, 255
DRAWN_AS = "1"  # another number, other pictures: part of the key under which they are kept

Drawn = tuple[str, tuple[int, int, int, int]]  # run lengths; box in pixels, far edges excluded


def overlay_key(mask_ids: Iterable[object]) -> str:
    """Where the picture of these masks is kept."""
    names = DRAWN_AS + "".join(sorted(map(str, mask_ids)))
    return f"overlays/{hashlib.sha256(names.encode()).hexdigest()}.png"


def overlay_ensure(*, image: Image, masks: Sequence[Mask]) -> str:
    """The storage key of a picture of these masks, drawn where nobody has asked for it before."""
    key = overlay_key(mask.id for mask in masks)
    storage = get_storage()
    if storage.size(key) is None:
        storage.put(key, overlay_png([(mask.counts, mask.box) for mask in masks], image.size))
    return key


def overlay_png(masks: Iterable[Drawn], size: tuple[int, int]) -> bytes:
    """A transparent PNG in the photo's shape, its longest side that of a thumbnail.

    A pixel looks at the one pixel of the photo at its centre, found in the run lengths: masks are not unpacked.

    Args:
        masks: in the order in which they are drawn, later ones on top.
        size: (height, width) of the photo in pixels.
    """
    scale = min(1.0, SIDE_PX / max(size))
    height, width = (max(1, round(side * scale)) for side in size)
    rows = ((np.arange(height) + 0.5) * size[0] / height).astype(np.int64)
    columns = ((np.arange(width) + 0.5) * size[1] / width).astype(np.int64)
    owner = np.zeros((height, width), np.int64)
    for number, (counts, box) in enumerate(masks, start=1):
        _draw(owner, number, counts, box, rows, columns, size[0])
    colour = np.where(owner > 0, (owner - 1) % COLOURS * 2 + 1, 0).astype(np.uint8)
    colour[(owner > 0) & _is_edge(owner)] += 1
    picture = Pillow.fromarray(colour, "P")
    picture.putpalette(_PALETTE)
    out = io.BytesIO()
    picture.save(out, "PNG", transparency=_ALPHAS, optimize=True)
    return out.getvalue()


def _draw(
    owner: NDArray[np.int64],
    number: int,
    counts: str,
    box: tuple[int, int, int, int],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    photo_height: int,
) -> None:
    (left, right), (top, bottom) = np.searchsorted(columns, box[0::2]), np.searchsorted(rows, box[1::2])
    ends = np.cumsum(run_lengths(counts))
    places = columns[left:right] * photo_height + rows[top:bottom, None]
    inside = np.searchsorted(ends, places, side="right") % 2 == 1  # runs are background, foreground, ...
    owner[top:bottom, left:right][inside] = number


def _is_edge(owner: NDArray[np.int64]) -> NDArray[np.bool_]:
    edge = np.zeros(owner.shape, bool)
    down, across = owner[1:] != owner[:-1], owner[:, 1:] != owner[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    return edge


def _palette() -> tuple[list[int], bytes]:
    """Hues turned by the golden angle, as in the workspace; of each one entry for its inside and one for its edge."""
    colours, alphas = [0, 0, 0], [0]
    for index in range(COLOURS):
        hue, light = (index * 137.508 + 172) % 360 / 360, 0.68 if index % 2 else 0.56
        rgb = [round(255 * part) for part in colorsys.hls_to_rgb(hue, light, 0.85)]
        colours += rgb * 2
        alphas += [FILL_ALPHA, EDGE_ALPHA]
    return colours, bytes(alphas)


_PALETTE, _ALPHAS = _palette()
