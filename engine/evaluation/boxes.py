"""Masks from boxes (SAM-p 7.4 and D.4): ground truth's, or a detector's.

The best of a lone box's three masks is fed back once, together with the box (`passes=2`, as published; several published tables
leave this out, so a figure without the number of passes and the source of the boxes says little).
"""

import contextlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from engine.data.coco_json import coco_ids
from engine.data.records import Record
from engine.errors import DataInvalid, PromptInvalid
from engine.evaluation.given import embedded, objects
from engine.evaluation.pictures import Gallery
from engine.evaluation.statistics import Stopwatch, by_size, interval_in_words, interval_of_mean, iou
from engine.inference.predictor import EmbeddedPhoto, Predictor, Prompt
from engine.masks import Rle, area, bbox, decode, encode

BATCH = 32
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Detection:
    """A box (x0, y0, x1, y1) in pixels, how sure the detector is, and the number of the class, where it says one."""

    box: Box
    score: float
    category: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What AP compares of one photo: masks with the number of their class, found ones with their score besides.

    Attributes:
        crowds: a found mask that matches no object, and of which a large enough share lies in one of its class, is neither
            right nor wrong.
    """

    truths: Sequence[tuple[Rle, int]]
    crowds: Sequence[tuple[Rle, int]]
    found: Sequence[tuple[Rle, int, float]]


def read_detections(file: Path, image_ids: Mapping[str, int] | None = None) -> dict[str, list[Detection]]:
    """A COCO results json, [{"image_id", "bbox": [x, y, width, height], "score"}, ...], perhaps with the annotations'
    "category_id", or a folder of the NAME_boxes.json that `detector detect` writes, by the photo's name.

    Args:
        image_ids: of each photo's name; None: the name is the number, perhaps with zeros in front, or `image_id` is the name.
    Raises:
        DataInvalid: it is not such a file, or there is none in the folder.
    """
    if file.is_dir():
        return _of_folder(file)
    name_of = {number: name for name, number in (image_ids or {}).items()}
    found: dict[str, list[Detection]] = {}
    try:
        for one in json.loads(file.read_text(encoding="utf-8")):
            x, y, width, height = (float(v) for v in one["bbox"])
            image = one["image_id"]
            name = name_of.get(image, str(image)) if image_ids else str(image)
            category = one.get("category_id")
            number = category if isinstance(category, int) else None
            found.setdefault(_plain(name), []).append(
                Detection((x, y, x + width, y + height), float(one["score"]), number)
            )
    except (ValueError, KeyError, TypeError) as error:
        raise DataInvalid(f"{file} is not a COCO results json with image_id, bbox and score: {error!r}") from error
    return found


def _of_folder(folder: Path) -> dict[str, list[Detection]]:
    ending = "_boxes.json"
    found: dict[str, list[Detection]] = {}
    for file in sorted(folder.glob(f"*{ending}")):
        try:
            boxes = json.loads(file.read_text(encoding="utf-8"))["boxes"]
            found[_plain(file.name.removesuffix(ending))] = [
                Detection((float(x0), float(y0), float(x1), float(y1)), float(one["confidence"]))
                for one in boxes
                for x0, y0, x1, y1 in [one["box"]]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise DataInvalid(f"{file} is not what `detector detect` writes: {error!r}") from error
    if not found:
        raise DataInvalid(f"{folder} has no NAME{ending}, as `detector detect` writes them")
    return found


def image_ids_of(source: Path) -> dict[str, int] | None:
    """The numbers of a COCO json's photos, by name; None for another kind of source."""
    return coco_ids(source) if source.suffix == ".json" else None


def masks_of_boxes(predictor: Predictor, photo: EmbeddedPhoto, boxes: Sequence[Box], passes: int) -> list[Rle]:
    """For each box the most confident of its three masks; with two passes, what that and the box together give.

    As run lengths: a detector has hundreds of boxes for a photo, and a mask's pixels take as many bytes as the photo has.
    """
    masks: list[Rle] = []
    for start in range(0, len(boxes), BATCH):
        prompts = [Prompt(box=box) for box in boxes[start : start + BATCH]]
        answers = predictor.predict_many(photo, prompts)
        for _ in range(passes - 1):
            again = [Prompt(box=p.box, mask=a.logits_MHW[0]) for p, a in zip(prompts, answers, strict=True)]
            answers = predictor.predict_many(photo, again)
        masks += [encode(answer.mask()) for answer in answers]
    return masks


def evaluate_boxes(
    predictor: Predictor,
    records: Iterable[Record],
    *,
    passes: int = 2,
    detections: Mapping[str, Sequence[Detection]] | None = None,
    gallery: Gallery | None = None,
) -> dict[str, Any]:
    """Masks from each object's own tight box, or from a detector's boxes.

    With detections, an object's mask is that of the box that overlaps its own box most; 0 where none does. They are cut at the
    photo's edge; what has no area then is left out.

    Args:
        passes: 1 or 2.
        detections: see `read_detections`; the keys are names without zeros in front.
    Returns:
        images, objects; boxes: "truth" or "detector"; passes; miou; interval: 95%, bootstrap over groups; by_size; with
        detections class_agnostic_ap: COCO's {"ap", "ap50", "ap75", "small", "medium", "large"} of their masks, all classes as
        one (null where there are no such objects), and class_aware_ap: the mean over classes, as COCO's tables have it, where
        every photo and every box say their classes; seconds_per_image; per_image.
    Raises:
        DataInvalid: see `given.objects`; detections of none of the photos.
        PromptInvalid: another number of passes.
    """
    if passes not in (1, 2):
        raise PromptInvalid(f"a box is given once, or twice with its mask, not {passes} times")
    ious: dict[str, list[float]] = {}
    areas: list[int] = []
    as_one: list[Judged] = []
    by_class: list[Judged | None] = []
    group_of: dict[str, str] = {}
    used = 0
    watch = Stopwatch()
    for record in watch.over(records):
        photo = embedded(record, predictor)
        truths, ignored = objects(record, photo.size)
        own: list[Box] = [bbox(encode(truth)) for truth in truths]
        boxes, found = own, list[Detection]()
        if detections is not None:
            cut = [(_cut(d.box, photo.size), d) for d in detections.get(_plain(record.name), ())]
            boxes = [box for box, _ in cut if box is not None]
            found = [detection for box, detection in cut if box is not None]
            used += len(boxes)
        masks = masks_of_boxes(predictor, photo, boxes, passes)
        ious[record.name] = []
        group_of[record.name] = record.kin
        nearest = range(len(own)) if detections is None else _nearest(own, boxes)
        for truth, index in zip(truths, nearest, strict=True):
            mask = decode(masks[index]) if index is not None else np.zeros_like(truth)
            ious[record.name].append(iou(mask, truth, ignored))
            areas.append(int(truth.sum()))
            if gallery is not None:
                box = boxes[index] if index is not None else None
                gallery.offer(
                    ious[record.name][-1],
                    f"{record.name}: {ious[record.name][-1]:.2f}",
                    record.pixels,
                    truth,
                    mask,
                    box=box,
                )
        if detections is not None:
            as_one.append(
                Judged(
                    [(encode(truth), 1) for truth in truths],
                    [] if ignored is None else [(encode(ignored), 1)],
                    [(mask, 1, detection.score) for mask, detection in zip(masks, found, strict=True)],
                )
            )
            by_class.append(_judged_by_class(record, photo.size, masks, found))
    if detections is not None and not used:
        raise DataInvalid("none of the boxes belongs to one of the photos: image_id is the photo's name or number")
    known = [judged for judged in by_class if judged is not None]
    every = [v for values in ious.values() for v in values]
    return {
        "images": len(ious),
        "objects": len(every),
        "boxes": "truth" if detections is None else "detector",
        "passes": passes,
        "miou": float(np.mean(every)) if every else 0.0,
        "interval": interval_of_mean(ious, group_of),
        "by_size": by_size(areas, {"miou": every}),
        **({} if detections is None else {"class_agnostic_ap": average_precision(as_one)}),
        **({"class_aware_ap": average_precision(known)} if known and len(known) == len(by_class) else {}),
        "seconds_per_image": watch.seconds_per_image,
        "per_image": {name: {"objects": len(v), "miou": float(np.mean(v))} for name, v in ious.items() if v},
    }


def _judged_by_class(
    record: Record, size: tuple[int, int], masks: Sequence[Rle], detections: Sequence[Detection]
) -> Judged | None:
    """All that the source has, as COCO's evaluation takes it; None: the photo or a box does not say its classes."""
    if record.categories is None:
        return None
    found = [
        (mask, detection.category, detection.score)
        for mask, detection in zip(masks, detections, strict=True)
        if detection.category is not None
    ]
    if len(found) < len(detections):
        return None
    truths, crowds = record.masks(size), record.categories.read_crowds()
    return Judged(
        [(encode(mask), category) for mask, category in zip(truths, record.categories.of_masks, strict=True)],
        [(encode(mask), category) for mask, category in zip(crowds, record.categories.of_crowds, strict=True)],
        found,
    )


def average_precision(photos: Sequence[Judged]) -> dict[str, float | None]:
    """COCO's mask AP, the mean over classes, by pycocotools: 0.50 to 0.95, at most 100 masks a photo and class; what is small,
    medium and large is said by the masks' own pixels."""
    of_photos = [[*(rle for rle, _ in p.truths), *(rle for rle, _, _ in p.found)] for p in photos]
    sizes = [rles[0]["size"] if rles else [1, 1] for rles in of_photos]
    images = [{"id": number, "height": size[0], "width": size[1]} for number, size in enumerate(sizes)]
    annotations = [
        _annotation(number, rle, category) | {"iscrowd": is_crowd}
        for number, photo in enumerate(photos)
        for is_crowd, masks in enumerate((photo.truths, photo.crowds))
        for rle, category in masks
    ]
    results = [
        _annotation(number, rle, category) | {"iscrowd": 0, "score": score}
        for number, photo in enumerate(photos)
        for rle, category, score in photo.found
    ]
    categories = [{"id": number} for number in sorted({annotation["category_id"] for annotation in annotations})]
    with contextlib.redirect_stdout(io.StringIO()):  # it talks
        both = []
        for entries in (annotations, results):
            one = COCO()
            one.dataset = {
                "images": images,
                "categories": categories,
                "annotations": [entry | {"id": number} for number, entry in enumerate(entries, start=1)],
            }
            one.createIndex()
            both.append(one)
        evaluation = COCOeval(*both, iouType="segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    names = ("ap", "ap50", "ap75", "small", "medium", "large")
    return {n: float(v) if v >= 0 else None for n, v in zip(names, evaluation.stats, strict=False)}


def _annotation(image: int, rle: Rle, category: int) -> dict[str, Any]:
    return {
        "image_id": image,
        "category_id": category,
        "segmentation": rle,
        "area": area(rle),
        "bbox": [0, 0, 0, 0],
    }


def summary(report: Mapping[str, Any]) -> list[str]:
    interval = interval_in_words(report["interval"])
    source = "their own boxes" if report["boxes"] == "truth" else "a detector's boxes"
    lines = [
        f"{report['images']} images, {report['objects']} objects, {report['seconds_per_image']:.2f} s an image",
        f"  mIoU from {source},"
        f" {report['passes']} pass{'es' * (report['passes'] > 1)}: {report['miou']:.3f}   {interval}",
    ]
    lines += [f"  {size:6} {of['objects']:5} objects   {of['miou']:.3f}" for size, of in report["by_size"].items()]
    for key, classes in (("class_aware_ap", "by class"), ("class_agnostic_ap", "all classes as one")):
        if key in report:
            figures = "   ".join(f"{n} {'-' if v is None else f'{v:.3f}'}" for n, v in report[key].items())
            lines.append(f"  mask AP, {classes}: {figures}")
    return lines


def _plain(name: str) -> str:
    return name.lstrip("0") or "0"


def _cut(box: Box, size: tuple[int, int]) -> Box | None:
    height, width = size
    x0, y0, x1, y1 = max(box[0], 0.0), max(box[1], 0.0), min(box[2], width), min(box[3], height)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _nearest(own: Sequence[Box], boxes: Sequence[Box]) -> list[int | None]:
    """For each object the number of the box that overlaps its own box most."""
    nearest: list[int | None] = []
    for x0, y0, x1, y1 in own:
        overlaps = []
        for a0, b0, a1, b1 in boxes:
            both = max(0.0, min(x1, a1) - max(x0, a0)) * max(0.0, min(y1, b1) - max(y0, b0))
            overlaps.append(both / ((x1 - x0) * (y1 - y0) + (a1 - a0) * (b1 - b0) - both))
        nearest.append(int(np.argmax(overlaps)) if overlaps and max(overlaps) > 0 else None)
    return nearest
