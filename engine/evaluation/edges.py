"""Edges from masks that nobody asked for -- the paper's zero-shot procedure (SAM-p 7.2 and D.2), and its scoring.

A 16 x 16 grid of clicks, three masks each; none is filtered by confidence or stability, near-duplicates go (box IoU over
0.7, a figure that the paper does not give). Of each mask's probabilities the Sobel magnitude is taken, at the photo's
resolution, and kept only on the pixels just outside the mask; the maximum over all masks is scaled to 0 ... 1 and thinned
across the edge as Canny does. The score is `edge_score`'s.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.data.annotators import AnnotatedPhoto
from engine.evaluation.edge_score import THRESHOLDS, EdgeCounts, count_edges, recall_precision_f, score
from engine.evaluation.edge_score import thresholds as edge_thresholds
from engine.evaluation.pictures import TILE_PX, Gallery
from engine.evaluation.statistics import Stopwatch, interval_in_words
from engine.inference.frame import resize_logits
from engine.inference.predictor import EmbeddedPhoto, Predictor, Prompt
from engine.masks.boxes import non_maximum_suppression
from engine.model.preprocessing import photo_cells, scale_to_model

POINTS_PER_SIDE = 16
NMS_IOU = 0.7
BATCH = 32
#: Of the blur before second derivatives, which say which way an edge runs.
DIRECTION_SIGMA_PX = 1.5

#: (H, W, 3) RGB to (H, W), 0 to 1.
EdgeMap = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def edges_of_masks(
    predictor: Predictor, photo: EmbeddedPhoto, *, points_per_side: int = POINTS_PER_SIDE
) -> NDArray[np.float32]:
    """(H, W), 0 to 1: how strong the edge is at each pixel."""
    height, width = photo.size
    centres = (np.arange(points_per_side) + 0.5) / points_per_side
    prompts = [Prompt(((float(x * width), float(y * height)),), (1,)) for y in centres for x in centres]
    logits: list[NDArray[np.float32]] = []
    ious: list[float] = []
    for start in range(0, len(prompts), BATCH):
        for answer in predictor.predict_many(photo, prompts[start : start + BATCH]):
            logits += [one.astype(np.float16) for one in answer.logits_MHW]
            ious += [float(v) for v in answer.predicted_iou_M]
    boxes = np.array([_box(one, photo.size, predictor.image_side) for one in logits])
    drawn = np.flatnonzero(boxes[:, 2] > boxes[:, 0])
    kept = drawn[non_maximum_suppression(boxes[drawn], np.array(ious)[drawn], NMS_IOU)]
    strongest = np.zeros(photo.size, np.float32)
    for index in kept:
        resized = resize_logits(logits[index].astype(np.float32), photo.size, predictor.image_side)
        np.maximum(strongest, edges_of_mask(resized), out=strongest)
    return thin_across(_to_one(strongest))


def edges_of_mask(logits_HW: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sobel magnitude of the probabilities on the pixels that touch the mask from outside, 0 elsewhere."""
    mask = (logits_HW > 0).astype(np.uint8)
    outside = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > mask
    probability = (1 / (1 + np.exp(-np.clip(logits_HW, -30, 30)))).astype(np.float32)
    return np.where(outside, sobel_magnitude(probability), 0).astype(np.float32)


def sobel_magnitude(values_HW: NDArray[np.float32]) -> NDArray[np.float32]:
    across, down = (cv2.Sobel(values_HW, cv2.CV_32F, *order, ksize=3) for order in ((1, 0), (0, 1)))
    return np.hypot(across, down)


def thin_across(strength_HW: NDArray[np.float32]) -> NDArray[np.float32]:
    """Edge NMS as in Canny: a pixel stays if it is no weaker than its neighbours on either side of the edge.

    Which way the edge runs is read from the second derivatives of the blurred map: across a ridge it bends most. The
    neighbours lie one pixel away, between pixels, and are interpolated.
    """
    blurred = cv2.GaussianBlur(strength_HW, (0, 0), DIRECTION_SIGMA_PX)
    xx, yy, xy = (cv2.Sobel(blurred, cv2.CV_32F, *order, ksize=5) for order in ((2, 0), (0, 2), (1, 1)))
    # Across is the Hessian's eigenvector of the eigenvalue farther from 0: on the crest the lower one, on the slopes, which
    # bend upwards, the higher one.
    higher = 0.5 * np.arctan2(2 * xy, xx - yy)
    across = np.where(xx + yy < 0, higher + np.pi / 2, higher)
    dx, dy = np.cos(across).astype(np.float32), np.sin(across).astype(np.float32)
    ys, xs = np.mgrid[: strength_HW.shape[0], : strength_HW.shape[1]].astype(np.float32)
    keep = strength_HW > 0
    for side in (-1, 1):
        at = (xs + side * dx, ys + side * dy)
        neighbour = cv2.remap(strength_HW, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        keep &= strength_HW >= neighbour
    return np.where(keep, strength_HW, 0)


def evaluate_edges(
    photos: Iterable[AnnotatedPhoto],
    edge_map: EdgeMap,
    *,
    thresholds: int = THRESHOLDS,
    gallery: Gallery | None = None,
) -> dict[str, Any]:
    """Score an edge map of each photo against its annotators' boundaries.

    Args:
        photos: of kind "boundaries".
        edge_map: see `edges_of_masks`, and `baselines` for others.
        gallery: is offered each photo, cut where its F is best, by that.
    Returns:
        images; the figures of `edge_score.score`; seconds_per_image: to make the map; seconds_to_score.
    Raises:
        DataInvalid: see `AnnotatedPhoto.read`.
    """
    counts: list[EdgeCounts] = []
    making, all_of_it = Stopwatch(), Stopwatch()
    for photo in all_of_it.over(photos):
        rgb = photo.pixels()
        for _ in making.over([rgb]):
            strength = edge_map(rgb)
        humans = [human > 0 for human in photo.read(strength.shape)]
        counts.append(count_edges(strength, humans, thresholds))
        if gallery is not None:
            _offer(gallery, photo, strength, humans, counts[-1])
    return {
        "images": len(counts),
        "thresholds": thresholds,
        **score(counts),
        "seconds_per_image": making.seconds_per_image,
        "seconds_to_score": all_of_it.seconds_per_image - making.seconds_per_image,
    }


def _offer(
    gallery: Gallery,
    photo: AnnotatedPhoto,
    strength_HW: NDArray[np.float32],
    humans: Sequence[NDArray[np.bool_]],
    counts: EdgeCounts,
) -> None:
    """Everybody's boundaries and the model's: a line of one pixel would be gone from a tile."""
    f_T = recall_precision_f(counts.found, counts.human, counts.right, counts.result)[2]
    best = int(f_T.argmax())
    cut = strength_HW > edge_thresholds(len(f_T))[best]
    wide = max(1, round(max(cut.shape) / TILE_PX))
    drawn, wanted = (
        cv2.dilate(one.astype(np.uint8), np.ones((wide, wide), np.uint8)) > 0
        for one in (cut, np.logical_or.reduce(humans))
    )
    gallery.offer(float(f_T[best]), f"{photo.name}: F {f_T[best]:.2f}", photo.pixels, wanted, drawn)


def summary(report: Mapping[str, Any]) -> list[str]:
    interval = interval_in_words(report["ods_interval"])
    return [
        f"{report['images']} images, {report['seconds_per_image']:.2f} s for a map,"
        f" {report['seconds_to_score']:.2f} s to score it",
        f"  ODS {report['ods']:.3f} {interval}   OIS {report['ois']:.3f}   AP {report['ap']:.3f}"
        f"   R50 {report['r50']:.3f}",
    ]


def _box(
    logits_HW: NDArray[np.floating[Any]], size: tuple[int, int], image_side: int
) -> tuple[float, float, float, float]:
    """Of the part of the model's frame that is photo, in pixels of the photo; all zero where there is no mask."""
    down, across = scale_to_model(size, image_side, logits_HW.shape[-1])
    rows, columns = photo_cells(size, image_side, logits_HW.shape[-1])
    inside = logits_HW[:rows, :columns] > 0
    ys, xs = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(ys):
        return 0.0, 0.0, 0.0, 0.0
    return xs[0] / across, ys[0] / down, (xs[-1] + 1) / across, (ys[-1] + 1) / down


def _to_one(strength_HW: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scaled so that the largest is 1; the smallest is 0 already, wherever no mask ends."""
    return strength_HW / max(float(strength_HW.max()), 1e-12)
