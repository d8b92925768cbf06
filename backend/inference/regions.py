"""Parts of a photo that are embedded on their own, so that the model sees small things in them at full resolution.

A region is written "x0,y0,x1,y1": pixels of the upright photo, far edges excluded. People who look at nearly the same place
share one: regions begin and end on a grid that is coarser, the larger they are.
"""

from typing import TYPE_CHECKING

from backend.inference.errors import RegionRefused

if TYPE_CHECKING:
    from backend.datasets.models import Image

Region = tuple[int, int, int, int]

WHOLE = ""
SMALLEST_SIDE_PX = 32
STEPS = 4  # a region's longer side is at least so many steps of its grid
NEARLY_ALL = 0.9  # of both sides: then there is nothing to be seen closer


def region_of(text: str, image: "Image") -> Region | None:
    """The region on the grid that holds what is asked for; None for the whole photo.

    Raises:
        RegionRefused: it is no region, lies outside the photo, or is too small.
    """
    if text == WHOLE:
        return None
    try:
        x0, y0, x1, y1 = (int(part) for part in text.split(","))
    except ValueError:
        raise RegionRefused('A region is four whole numbers, "x0,y0,x1,y1".') from None
    if not (0 <= x0 < x1 <= image.width and 0 <= y0 < y1 <= image.height):
        raise RegionRefused(f"The region does not lie in the photo, which has {image.width} x {image.height} px.")
    longer = max(x1 - x0, y1 - y0)
    if longer < SMALLEST_SIDE_PX:
        raise RegionRefused(f"A region has at least {SMALLEST_SIDE_PX} px on its longer side.")
    step = 1 << ((longer // STEPS).bit_length() - 1)
    snapped = (
        x0 // step * step,
        y0 // step * step,
        min(-(-x1 // step) * step, image.width),
        min(-(-y1 // step) * step, image.height),
    )
    is_nearly_all = (
        snapped[2] - snapped[0] >= NEARLY_ALL * image.width and snapped[3] - snapped[1] >= NEARLY_ALL * image.height
    )
    return None if is_nearly_all else snapped


def written(region: Region | None) -> str:
    return WHOLE if region is None else ",".join(map(str, region))


def read(text: str) -> Region | None:
    """Of a row, which holds only what `written` wrote."""
    if text == WHOLE:
        return None
    x0, y0, x1, y1 = map(int, text.split(","))
    return x0, y0, x1, y1
