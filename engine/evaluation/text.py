"""Objects asked for by name (SAM-p 7.5), and beside it what the name is worth: the same objects, asked for by another word.

Only objects whose name says which one is meant take part, as in training (`engine.data.texts.names_that_say_which`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.records import Record
from engine.data.texts import names_that_say_which, plain_name
from engine.errors import DataInvalid
from engine.evaluation.given import embedded, named_objects
from engine.evaluation.pictures import Gallery
from engine.evaluation.statistics import Stopwatch, interval_in_words, interval_of_mean, iou
from engine.inference.predictor import EmbeddedPhoto, Predictor, Prompt

#: Words for COCO's things that are no category of COCO's, so that training on its names has never seen them.
OTHER_WORDS: Mapping[str, str] = {
    "airplane": "jet", "bear": "grizzly", "bicycle": "bike", "bird": "sparrow", "boat": "ship", "bus": "coach",
    "car": "automobile", "cat": "kitten", "cell phone": "smartphone", "couch": "sofa", "cow": "cattle",
    "cup": "mug", "dog": "puppy", "donut": "doughnut", "elephant": "pachyderm", "fire hydrant": "hydrant",
    "horse": "pony", "laptop": "notebook computer", "motorcycle": "motorbike", "person": "human",
    "refrigerator": "fridge", "sheep": "lamb", "suitcase": "luggage", "teddy bear": "plush toy",
    "toilet": "lavatory", "train": "locomotive", "truck": "lorry", "tv": "television", "wine glass": "goblet",
}  # fmt: skip


def evaluate_text(
    predictor: Predictor,
    records: Iterable[Record],
    encode: Callable[[Sequence[str]], NDArray[np.float32]],
    *,
    other_words: Mapping[str, str] = OTHER_WORDS,
    seed: int = 0,
    gallery: Gallery | None = None,
) -> dict[str, Any]:
    """The most confident mask for each object's name, for another word that means it, and for a name that means something else.

    The wrong name is one of the set's, or of `other_words`, that the photo has no object of, drawn by the seed.

    Args:
        encode: texts to (N, D), the encoder that the checkpoint was trained on.
        other_words: by name.
    Returns:
        images, objects; name, wrong_name: {"miou", "interval": 95%, bootstrap over photos}; other_word: the same of the objects
        that have one, with "objects", "words" and "by_name", {"miou"} of the same objects by their names; by_name: {NAME:
        {"objects", "miou"}}; seconds_per_image.
    Raises:
        DataInvalid: not one object can be asked for by its name, or see `given.named_objects`.
    """
    records, rng = list(records), np.random.default_rng(seed)
    names_of = {record.name: names_that_say_which(record.names or ()) for record in records}
    every = sorted({name for names in names_of.values() for name in names if name})
    if not every:
        raise DataInvalid("no object of these photos has a name that no other one in its photo has")
    pool = {*every, *other_words}
    words = sorted(pool | {other_words[name] for name in every if name in other_words})
    vector_of = dict(zip(words, encode(words), strict=True))
    by_name: dict[str, list[float]] = {}
    found: dict[str, dict[str, list[float]]] = {what: {} for what in ("name", "wrong", "other", "name_of_other")}
    watch = Stopwatch()
    for record in watch.over(records):
        names = names_of[record.name]
        others = sorted(pool - _all_names(record))
        if not any(names) or not others:
            continue
        photo = embedded(record, predictor)
        truths, own_names, ignored = named_objects(record, names, photo.size)
        own: dict[str, list[float]] = {what: [] for what in found}
        for truth, name in zip(truths, own_names, strict=True):
            asked = [name, others[int(rng.integers(len(others)))]]
            if name in other_words:
                asked.append(other_words[name])
            masks = _masks(predictor, photo, [vector_of[word] for word in asked])
            ious = [iou(mask, truth, ignored) for mask in masks]
            own["name"].append(ious[0])
            own["wrong"].append(ious[1])
            by_name.setdefault(name, []).append(ious[0])
            if name in other_words:
                own["other"].append(ious[2])
                own["name_of_other"].append(ious[0])
            if gallery is not None:
                gallery.offer(ious[0], f"{record.name}, {name}: {ious[0]:.2f}", record.pixels, truth, masks[0])
        for what, values in own.items():
            found[what][record.name] = values
    return {
        "images": len(found["name"]),
        "objects": sum(map(len, found["name"].values())),
        "name": _figures(found["name"]),
        "wrong_name": _figures(found["wrong"]),
        "other_word": _figures(found["other"])
        | {
            "objects": sum(map(len, found["other"].values())),
            "words": sum(name in other_words for name in by_name),
            "by_name": _figures(found["name_of_other"]),
        },
        "by_name": {
            name: {"objects": len(values), "miou": float(np.mean(values))} for name, values in sorted(by_name.items())
        },
        "seconds_per_image": watch.seconds_per_image,
    }


def summary(report: Mapping[str, Any]) -> list[str]:
    other = report["other_word"]
    lines = [f"{report['images']} images, {report['objects']} objects, {report['seconds_per_image']:.2f} s an image"]
    for what, of in (
        ("by name", report["name"]),
        ("by a name of something else", report["wrong_name"]),
        (f"by another word, {other['objects']} objects of {other['words']} names", other),
        ("  the same objects by name", other["by_name"]),
    ):
        lines.append(f"  mIoU {what}: {of['miou']:.3f}   {interval_in_words(of['interval'])}")
    return lines


def _masks(
    predictor: Predictor, photo: EmbeddedPhoto, vectors: Sequence[NDArray[np.float32]]
) -> list[NDArray[np.bool_]]:
    return [answer.mask() for answer in predictor.predict_many(photo, [Prompt(text=vector) for vector in vectors])]


def _all_names(record: Record) -> set[str]:
    """Those that do not say which, too: what there are two of is no wrong name."""
    return {plain_name(name) for name in record.names or () if name}


def _figures(values: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    every = [value for of_photo in values.values() for value in of_photo]
    return {"miou": float(np.mean(every)) if every else 0.0, "interval": interval_of_mean(values)}
