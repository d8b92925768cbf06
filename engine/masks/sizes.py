"""COCO's classes of size, by a mask's area: written here and nowhere else."""

#: Areas in pixels, from (included) and to (excluded). COCO itself counts exactly 32^2 and 96^2 in both classes.
SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1 << 62)}


def size_class(area: int) -> str:
    """
    Args:
        area: pixels.
    """
    return next(name for name, (low, high) in SIZES.items() if low <= area < high)
