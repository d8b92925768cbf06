"""Whether a whole-photo run finds the objects -- average recall of masks (COCO; SAM-p 7.3) -- N proposals, M objects.

Proposals are everything-mode's without its filters (SAM-p, D.3: a 64 x 64 grid, near-duplicates at 0.9), ranked by the mean of
predicted IoU, as the model says it, and stability, and cut at 100 and 1,000. Average recall is the share of objects found,
averaged over the IoU, 0.50 to 0.95 by 0.05, from which an object counts as found. A proposal can find one object only.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.records import Record
from engine.evaluation.given import embedded, objects
from engine.evaluation.pictures import Gallery
from engine.evaluation.statistics import Stopwatch, interval_in_words, interval_of_ratio
from engine.inference.everything import label_everything
from engine.inference.predictor import Predictor
from engine.inference.settings import EverythingSettings
from engine.masks import SIZES, Rle, area, decode, encode, iou, size_class

LIMITS = (100, 1000)
IOU_FROM = np.arange(50, 100, 5) / 100


def without_filters(points_per_side: int) -> EverythingSettings:
    """Every mask that is not a near-duplicate of a better one; no number of masks is too large.

    Stability is that of the published code (SAM-r), between logits at -1 and 1.
    """
    return EverythingSettings(
        points_per_side=points_per_side,
        min_predicted_iou=-math.inf,
        min_stability=0.0,
        stability_offset=1.0,
        max_area_share=1.0,
        nms_iou=0.9,
        min_region_px=0,
        max_masks=100_000,
    )


def share_found(iou_NM: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M,) how often each object is found: the share of `IOU_FROM` at which it is.

    As COCO's evaluation does: the proposals, best ranked first, each take the object that they overlap most among those that
    nobody has taken yet, if the IoU is enough.

    Args:
        iou_NM: of each proposal, best ranked first, with each object.
    """
    found_TM = np.zeros((len(IOU_FROM), iou_NM.shape[1]), bool)
    # Few proposals overlap anything by half; only they can take part.
    for row_M in iou_NM[(iou_NM >= IOU_FROM[0]).any(1)] if iou_NM.size else ():
        for taken_M, enough in zip(found_TM, IOU_FROM, strict=True):
            free_M = np.where(taken_M, -1, row_M)
            # Of two objects that overlap alike, COCO's takes the later one.
            best = len(free_M) - 1 - int(free_M[::-1].argmax())
            if free_M[best] >= enough:
                taken_M[best] = True
    return found_TM.mean(0)


def average_recall(
    iou_of_photo: Sequence[NDArray[np.float64]],
    areas_of_photo: Sequence[Sequence[int]],
    limit: int,
    groups: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Mean share found over all objects of all photos, at most `limit` proposals a photo.

    Args:
        iou_of_photo: (N, M) for each photo, best ranked proposal first.
        areas_of_photo: of the M objects, pixels.
        groups: of each photo; see `interval_of_ratio`.
    Returns:
        all, and each class of size that has objects; interval: 95%, of all, bootstrap over groups of photos.
    """
    shares, sizes = [], []
    for iou_NM, areas in zip(iou_of_photo, areas_of_photo, strict=True):
        own = np.array([size_class(area) for area in areas], object)
        share_M = np.zeros(len(areas))
        # COCO asks for each class alone: a proposal that a large object would have taken is free for a small one.
        shares.append({"all": share_found(iou_NM[:limit])})
        for name in SIZES:
            share_M[own == name] = share_found(iou_NM[:limit, own == name])
        shares[-1]["of_class"] = share_M
        sizes.append(own)
    everything = np.concatenate([one["all"] for one in shares])
    of_class, classes = np.concatenate([one["of_class"] for one in shares]), np.concatenate(sizes)
    return {
        "all": float(everything.mean()),
        **{name: float(of_class[classes == name].mean()) for name in SIZES if (classes == name).any()},
        "interval": interval_of_ratio(
            [one["all"].sum() for one in shares], [len(one["all"]) for one in shares], groups=groups
        ),
    }


def evaluate_proposals(
    predictor: Predictor, records: Iterable[Record], *, points_per_side: int = 32, gallery: Gallery | None = None
) -> dict[str, Any]:
    """Everything-mode's recall of the objects that are known; photos without any are passed over.

    Args:
        points_per_side: of the grid of clicks; the paper's evaluation has 64, a quarter of them takes a quarter of the time.
        gallery: is offered each object with the proposal that fits it best.
    Returns:
        images, objects; points_per_side; proposals: their mean number a photo; ar: {"100": {"all", "small", "medium", "large",
        "interval"}, "1000": ...}; by_size: the number of objects; seconds_per_image.
    Raises:
        DataInvalid, PromptInvalid: see `given.objects`, `EverythingSettings.check`.
    """
    settings = without_filters(points_per_side)
    settings.check()
    ious: list[NDArray[np.float64]] = []
    areas: list[list[int]] = []
    counts: list[int] = []
    groups: list[str] = []
    watch = Stopwatch()
    for record in watch.over(records):
        photo = embedded(record, predictor)
        truths, ignored = objects(record, photo.size)
        if not truths:
            continue
        proposals = sorted(
            label_everything(predictor, photo, settings), key=lambda one: -(one.raw_iou + one.stability_score)
        )
        counts.append(len(proposals))
        groups.append(record.kin)
        found = [one.rle for one in proposals[: max(LIMITS)]]
        wanted = [encode(truth if ignored is None else truth & ~ignored) for truth in truths]
        if ignored is not None:
            found = [encode(decode(rle) & ~ignored) for rle in found]
        ious.append(iou(found, wanted))
        areas.append(list(map(area, wanted)))
        if gallery is not None:
            _offer(gallery, record, found, wanted, ious[-1])
    sizes = [size_class(area) for of_photo in areas for area in of_photo]
    return {
        "images": len(ious),
        "objects": len(sizes),
        "points_per_side": points_per_side,
        "proposals": float(np.mean(counts)) if counts else 0.0,
        "ar": {str(limit): average_recall(ious, areas, limit, groups) for limit in LIMITS} if ious else {},
        "by_size": {name: sizes.count(name) for name in SIZES},
        "seconds_per_image": watch.seconds_per_image,
    }


def _offer(
    gallery: Gallery, record: Record, found: Sequence[Rle], wanted: Sequence[Rle], iou_NM: NDArray[np.float64]
) -> None:
    for number, truth in enumerate(wanted):
        best = int(iou_NM[:, number].argmax()) if len(found) else None
        fit = 0.0 if best is None else float(iou_NM[best, number])
        mask = np.zeros(truth["size"], bool) if best is None else decode(found[best])
        rank = "nothing" if best is None else f"proposal {best + 1} of {len(found)}"
        gallery.offer(fit, f"{record.name}: {fit:.2f}, {rank}", record.pixels, decode(truth), mask)


def summary(report: Mapping[str, Any]) -> list[str]:
    lines = [
        f"{report['images']} images, {report['objects']} objects, {report['proposals']:.0f} proposals an image,"
        f" {report['seconds_per_image']:.2f} s an image"
    ]
    for limit, of in report["ar"].items():
        sizes = "   ".join(f"{name} {of[name]:.3f}" for name in SIZES if name in of)
        lines.append(f"  AR@{limit:4} {of['all']:.3f}   {interval_in_words(of['interval'])}   {sizes}")
    return lines
