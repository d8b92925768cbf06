"""What a person has without a model, asked the same questions.

From a click: the *magic wand*, which takes all pixels connected to the click whose colour differs from the clicked one by
at most a tolerance, and the *superpixel* under the click (Felzenszwalb and Huttenlocher 2004). Each has one setting for all
photos, the one that is best over the whole set, which is more than a person could know beforehand. From a box: *GrabCut*
(Rother et al. 2004). For edges: Canny's and Sobel's.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.feature import canny
from skimage.segmentation import felzenszwalb

from engine.data.records import Record
from engine.data.simulated_clicks import innermost_point
from engine.evaluation.edges import sobel_magnitude, thin_across
from engine.evaluation.given import objects
from engine.evaluation.pictures import Gallery
from engine.evaluation.statistics import Stopwatch, by_size, interval_in_words, interval_of_mean, iou
from engine.masks import bbox, encode

TOLERANCES = (4, 8, 12, 16, 24, 32, 48, 64, 96)  # of each of R, G, B, either way
SCALES = (50, 100, 200, 400, 800, 1600, 3200, 6400)  # Felzenszwalb's k: larger is coarser
GRABCUT_ITERATIONS = 5

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]
#: Makes of a photo a function from a click (x, y) to a mask.
OfClick = Callable[[Rgb], Callable[[tuple[float, float]], Mask]]


def magic_wand(rgb_HW3: Rgb, at: tuple[float, float], tolerance: int) -> Mask:
    """(H, W): what a click at (x, y) takes."""
    height, width = rgb_HW3.shape[:2]
    filled = np.zeros((height + 2, width + 2), np.uint8)
    flags = cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | 4
    each = (tolerance,) * 3
    cv2.floodFill(rgb_HW3.copy(), filled, (int(at[0]), int(at[1])), (0, 0, 0), each, each, flags)
    return filled[1:-1, 1:-1].astype(bool)


def superpixels(rgb_HW3: Rgb, scale: float) -> NDArray[np.int64]:
    """(H, W): the number of each pixel's segment."""
    return felzenszwalb(rgb_HW3, scale=scale, sigma=0.8, min_size=20)


def grabcut(rgb_HW3: Rgb, box: tuple[int, int, int, int]) -> Mask:
    """(H, W): what GrabCut makes of a box (x0, y0, x1, y1), far edges excluded; the box itself where it finds nothing.

    A box that leaves nothing of the photo outside, or too few pixels to model, cannot be cut and is the answer as well.
    """
    x0, y0, x1, y1 = box
    inside = np.zeros(rgb_HW3.shape[:2], bool)
    inside[y0:y1, x0:x1] = True
    labels = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    if min(inside.sum(), (~inside).sum()) < 10:  # fewer than two pixels for each of its five Gaussians
        return inside
    cv2.setRNGSeed(0)  # its first clusters are drawn at random
    bgr = np.ascontiguousarray(rgb_HW3[..., ::-1])
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))  # its Gaussians, for calls that go on
    cv2.grabCut(bgr, labels, (0, 0, 0, 0), background, foreground, GRABCUT_ITERATIONS, cv2.GC_INIT_WITH_MASK)
    cut = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return cut if cut.any() else inside


def sobel_edges(rgb_HW3: Rgb) -> NDArray[np.float32]:
    """(H, W), 0 to 1: gradient of the slightly blurred grey photo, thinned across the edge."""
    magnitude = sobel_magnitude(_grey(rgb_HW3, sigma_px=2.0))
    return thin_across(magnitude / max(float(magnitude.max()), 1e-12))


def canny_edges(rgb_HW3: Rgb, levels: int = 30) -> NDArray[np.float32]:
    """(H, W), 0 to 1: the highest of `levels` thresholds at which Canny's detector still marks the pixel.

    The lower threshold is 0.4 of the upper one; the upper ones are spaced like quantiles, for most gradients are small.
    """
    grey = _grey(rgb_HW3, sigma_px=0)
    strength = np.zeros(grey.shape, np.float32)
    for level in range(1, levels + 1):
        upper = 0.5 * (level / levels) ** 2
        strength[canny(grey, sigma=2.0, low_threshold=0.4 * upper, high_threshold=upper)] = level / (levels + 1)
    return strength


def evaluate_magic_wand(records: Iterable[Record]) -> dict[str, Any]:
    """See `_best_of`; the setting is the tolerance."""

    def with_tolerance(tolerance: int) -> OfClick:
        return lambda rgb: lambda at: magic_wand(rgb, at, tolerance)

    return _best_of({t: with_tolerance(t) for t in TOLERANCES}, "tolerance", records)


def evaluate_superpixel(records: Iterable[Record]) -> dict[str, Any]:
    """See `_best_of`; the setting is Felzenszwalb's scale."""

    def with_scale(scale: int) -> OfClick:
        def segment(rgb: Rgb) -> Callable[[tuple[float, float]], Mask]:
            numbers = superpixels(rgb, scale)
            return lambda at: numbers == numbers[int(at[1]), int(at[0])]

        return segment

    return _best_of({s: with_scale(s) for s in SCALES}, "scale", records)


def evaluate_grabcut(records: Iterable[Record], *, gallery: Gallery | None = None) -> dict[str, Any]:
    """Mean IoU from each object's own tight box.

    Returns:
        images, objects; miou; interval: 95%, bootstrap over photos; by_size; seconds_per_image.
    Raises:
        DataInvalid: see `given.objects`.
    """
    found: dict[str, list[float]] = {}
    areas: list[int] = []
    watch = Stopwatch()
    for record in watch.over(records):
        rgb = record.pixels()
        truths, ignored = objects(record, rgb.shape[:2])
        found[record.name] = []
        for truth in truths:
            box = bbox(encode(truth))
            mask = grabcut(rgb, box)
            found[record.name].append(value := iou(mask, truth, ignored))
            areas.append(int(truth.sum()))
            if gallery is not None:
                gallery.offer(value, f"{record.name}: {value:.2f}", record.pixels, truth, mask, box=box)
    every = [v for values in found.values() for v in values]
    return {
        "images": len(found),
        "objects": len(every),
        "miou": float(np.mean(every)) if every else 0.0,
        "interval": interval_of_mean(found),
        "by_size": by_size(areas, {"miou": every}),
        "seconds_per_image": watch.seconds_per_image,
    }


def _best_of(ways: Mapping[int, OfClick], setting: str, records: Iterable[Record]) -> dict[str, Any]:
    """Mean IoU after one click, where a simulated person clicks first, with the setting that is best over the set.

    Returns:
        images, objects; `setting`: the best one; miou: {"1"} of that one; interval: of it, 95%, bootstrap over photos; by_size;
        by_`setting`: the mean of each; seconds_per_image: all settings together.
    Raises:
        DataInvalid: see `given.objects`.
    """
    found: dict[int, dict[str, list[float]]] = {value: {} for value in ways}
    areas: list[int] = []
    watch = Stopwatch()
    for record in watch.over(records):
        rgb = record.pixels()
        truths, ignored = objects(record, rgb.shape[:2])
        clicks = [innermost_point(truth if ignored is None else truth & ~ignored)[0] for truth in truths]
        areas += [int(truth.sum()) for truth in truths]
        for value, way in ways.items():
            take = way(rgb)
            found[value][record.name] = [iou(take(at), t, ignored) for at, t in zip(clicks, truths, strict=True)]
    means = {value: _mean(of_photo.values()) for value, of_photo in found.items()}
    best = max(means, key=lambda value: means[value])
    return {
        "images": len(found[best]),
        "objects": len(areas),
        setting: best,
        "miou": {"1": means[best]},
        "interval": interval_of_mean(found[best]),
        "by_size": by_size(areas, {"miou": [v for values in found[best].values() for v in values]}),
        f"by_{setting}": {str(value): mean for value, mean in means.items()},
        "seconds_per_image": watch.seconds_per_image,
    }


def summary(report: Mapping[str, Any]) -> list[str]:
    best = next((f"best {name} {report[name]}: " for name in ("tolerance", "scale") if name in report), "")
    miou = report["miou"]["1"] if isinstance(report["miou"], dict) else report["miou"]
    return [
        f"{report['images']} images, {report['objects']} objects, {report['seconds_per_image']:.2f} s an image",
        f"  {best}mIoU {miou:.3f}   {interval_in_words(report['interval'])}",
        *(f"  {size:6} {of['objects']:5} objects   {of['miou']:.3f}" for size, of in report["by_size"].items()),
    ]


def _mean(values: Iterable[Sequence[float]]) -> float:
    every = [v for of_photo in values for v in of_photo]
    return float(np.mean(every)) if every else 0.0


def _grey(rgb_HW3: Rgb, sigma_px: float) -> NDArray[np.float32]:
    grey = cv2.cvtColor(rgb_HW3, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    blurred = cv2.GaussianBlur(grey, (0, 0), sigma_px) if sigma_px else grey
    return np.asarray(blurred, dtype=np.float32)
