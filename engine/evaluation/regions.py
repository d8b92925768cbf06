"""How well one click finds a region that people do not agree about -- sets with several annotators a photo (BSDS500).

Each annotator partitioned the whole photo, one coarsely, another finely, and a click in a person's cheek is right to mean
the cheek, the face or the person. So **the best-matching annotator's region counts**:

for every region r of every annotator, the click is the innermost pixel of r. Each annotator has at most one region that
contains that pixel. A mask's score is the largest of its IoUs with these (r among them). *miou* takes the most confident
mask, *oracle* the best-scoring of the three. All regions weigh the same, so a region that five annotators drew alike counts
five times.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.annotators import AnnotatedPhoto
from engine.data.simulated_clicks import innermost_point
from engine.evaluation.pictures import Gallery
from engine.evaluation.statistics import Stopwatch, by_size, interval_in_words, interval_of_mean
from engine.inference.predictor import Predictor, Prompt

#: Clicks that go through the decoder together.
BATCH = 32


def best_match(
    mask_HW: NDArray[np.bool_], label_maps: list[NDArray[np.integer[Any]]], at: tuple[float, float]
) -> tuple[float, NDArray[np.bool_]]:
    """The largest IoU with a region that contains the pixel at (x, y), of any annotator, and that region.

    Args:
        label_maps: (H, W), one for each annotator; 0 belongs to no region. At least one has a region there.
    """
    area, best = int(np.count_nonzero(mask_HW)), (-1.0, np.zeros_like(mask_HW))
    for labels in label_maps:
        value = labels[int(at[1]), int(at[0])]
        if value == 0:
            continue
        region = labels == value
        both = int(np.count_nonzero(region & mask_HW))
        iou = both / (area + int(np.count_nonzero(region)) - both)
        if iou > best[0]:
            best = (iou, region)
    return best


def evaluate_regions(
    predictor: Predictor, photos: Iterable[AnnotatedPhoto], *, gallery: Gallery | None = None
) -> dict[str, Any]:
    """One click in each region of each annotator.

    Returns:
        images, objects: regions, every annotator's; annotators: their mean number a photo; miou and oracle, both {"1": ...};
        intervals: of both, 95%, bootstrap over photos; by_size: of the region clicked; seconds_per_image; per_image.
    Raises:
        DataInvalid: see `AnnotatedPhoto.read`; or a label map is not as large as its photo.
    """
    found: dict[str, list[float]] = {}
    oracle: dict[str, list[float]] = {}
    areas: list[int] = []
    annotators: list[int] = []
    watch = Stopwatch()
    for photo in watch.over(photos):
        embedded = predictor.embed(photo.pixels())
        label_maps = photo.read(embedded.size)
        regions = [labels == value for labels in label_maps for value in np.unique(labels) if value]
        clicks = [innermost_point(region)[0] for region in regions]
        annotators.append(len(label_maps))
        areas += [int(region.sum()) for region in regions]
        found[photo.name], oracle[photo.name] = [], []
        for start in range(0, len(clicks), BATCH):
            some = clicks[start : start + BATCH]
            answers = predictor.predict_many(embedded, [Prompt((at,), (1,)) for at in some])
            for at, answer in zip(some, answers, strict=True):
                masks = [answer.mask(index) for index in range(len(answer.logits_MHW))]
                scores = [best_match(mask, label_maps, at) for mask in masks]
                found[photo.name].append(scores[0][0])
                oracle[photo.name].append(max(score for score, _ in scores))
                if gallery is not None:
                    caption = f"{photo.name}: {scores[0][0]:.2f}, oracle {oracle[photo.name][-1]:.2f}"
                    gallery.offer(
                        scores[0][0], caption, photo.pixels, scores[0][1], masks[0], points=(at,), labels=(1,)
                    )
    every = [v for values in found.values() for v in values]
    every_oracle = [v for values in oracle.values() for v in values]
    return {
        "images": len(found),
        "objects": len(every),
        "annotators": float(np.mean(annotators)) if annotators else 0.0,
        "miou": {"1": float(np.mean(every)) if every else 0.0},
        "oracle": {"1": float(np.mean(every_oracle)) if every else 0.0},
        "intervals": {"miou": interval_of_mean(found), "oracle": interval_of_mean(oracle)},
        "by_size": by_size(areas, {"miou": every, "oracle": every_oracle}),
        "seconds_per_image": watch.seconds_per_image,
        "per_image": {
            name: {"objects": len(values), "miou": {"1": float(np.mean(values))}}
            for name, values in found.items()
            if values
        },
    }


def summary(report: Mapping[str, Any]) -> list[str]:
    lines = [
        f"{report['images']} images, {report['annotators']:.1f} annotators each, {report['objects']} regions,"
        f" {report['seconds_per_image']:.2f} s an image"
    ]
    for name, words in (("miou", "mIoU, 1 click"), ("oracle", "oracle of three")):
        lines.append(f"  {words:16} {report[name]['1']:.3f}   {interval_in_words(report['intervals'][name])}")
    lines += [
        f"  {size:6} {of['objects']:6} regions   {of['miou']:.3f}   oracle {of['oracle']:.3f}"
        for size, of in report["by_size"].items()
    ]
    return lines
