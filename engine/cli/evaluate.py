"""python -m engine evaluate"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.common import Verbs, names, predictor
from engine.cli.progress import with_progress
from engine.errors import PromptInvalid

if TYPE_CHECKING:
    from engine.data.annotators import AnnotatedPhoto
    from engine.data.records import Record
    from engine.evaluation.pictures import Gallery

Report = dict[str, Any]
Outcome = tuple[Report, list[str]]


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    evaluate = verbs.add_parser(
        "evaluate",
        parents=[common],
        help="how good a checkpoint is",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="\n".join(f"{name:10} {words}" for name, (words, _) in EVALUATIONS.items()),
    )
    evaluate.add_argument("what", choices=list(EVALUATIONS))
    evaluate.add_argument("--data", type=Path, required=True, metavar="DIR")
    evaluate.add_argument("--only", type=Path, metavar="FILE", help="names to use, one a line or a json list")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="the whole report")
    evaluate.add_argument("--pictures", type=Path, metavar="DIR", help="the worst and the best cases, to look at")
    evaluate.add_argument("--limit", type=int, metavar="N", help="photos")
    clicks = evaluate.add_argument_group("clicks")
    clicks.add_argument("--clicks", type=int, default=20, help="at most, for each object")
    clicks.add_argument("--pick", choices=["centre", "random", "random-every"], default="centre",
                        help="random: the first click is anywhere in the object; random-every: each further one anywhere"
                        " in the errors")  # fmt: skip
    clicks.add_argument("--each", action="store_true", help="each object's IoU after each click, too")
    clicks.add_argument("--seed", type=int, default=0, help="of the random picks")
    evaluate.add_argument("--points-per-side", type=int, metavar="N", help="edges, proposals: of the grid of clicks")
    evaluate.add_argument("--thresholds", type=int, default=99, metavar="N", help="edges")
    evaluate.add_argument(
        "--boxes",
        type=Path,
        metavar="PLACE",
        help="boxes: a detector's, COCO results or a folder that `detector detect` wrote",
    )
    evaluate.add_argument("--passes", type=int, default=2, help="boxes: 2 feeds the mask back once")
    evaluate.add_argument("--text-encoder", metavar="SPEC", help="text: minilm:PLACE or clip:PLACE, see `predict`")
    evaluate.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from engine.evaluation.pictures import Gallery
    from engine.model.checkpoint import write_whole

    for name in ("limit", "clicks", "points_per_side", "thresholds"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise PromptInvalid(f"--{name.replace('_', '-')} is at least 1, not {value}")
    if options.pictures and options.what not in WITH_PICTURES:
        raise PromptInvalid(f"there are pictures of {', '.join(WITH_PICTURES)}, not of {options.what}")
    gallery = Gallery() if options.pictures else None
    report, lines = EVALUATIONS[options.what][1](options, gallery)
    by = {} if options.what in WITHOUT_MODEL else {"checkpoint": str(options.checkpoint)}
    if options.json:
        whole = {"evaluation": options.what, **by, "data": str(options.data), **report}
        write_whole(options.json, json.dumps(whole, indent=1).encode())
    print("\n".join(lines))
    if gallery is not None:
        print("\n".join(str(path) for path in gallery.write(options.pictures)))


def _records(options: argparse.Namespace) -> "Iterator[Record]":
    from engine.data.records import read_records

    records = read_records(options.data, only=names(options.only) if options.only else None)
    return with_progress(records[: options.limit], "photo")


def _annotated(options: argparse.Namespace, kind: str) -> "Iterator[AnnotatedPhoto]":
    from engine.data.annotators import read_annotated

    photos = read_annotated(options.data, kind, only=names(options.only) if options.only else None)
    return with_progress(photos[: options.limit], "photo")


def _clicks(options: argparse.Namespace, gallery: "Gallery | None") -> Outcome:
    from engine.evaluation.clicks import evaluate_clicks, summary

    records = _records(options)
    how = {"clicks": options.clicks, "pick": options.pick, "seed": options.seed, "each": options.each}
    report = evaluate_clicks(predictor(options), records, gallery=gallery, **how)
    return report, summary(report)


def _regions(options: argparse.Namespace, gallery: "Gallery | None") -> Outcome:
    from engine.evaluation.regions import evaluate_regions, summary

    photos = _annotated(options, "masks")
    report = evaluate_regions(predictor(options), photos, gallery=gallery)
    return report, summary(report)


def _edges(options: argparse.Namespace, gallery: "Gallery | None") -> Outcome:
    from engine.evaluation.edges import POINTS_PER_SIDE, edges_of_masks, evaluate_edges, summary

    photos = _annotated(options, "boundaries")
    model = predictor(options)
    side = options.points_per_side or POINTS_PER_SIDE
    report = evaluate_edges(
        photos,
        lambda rgb: edges_of_masks(model, model.embed(rgb), points_per_side=side),
        thresholds=options.thresholds,
        gallery=gallery,
    )
    return report, summary(report)


def _edges_without_model(name: str) -> "Callable[[argparse.Namespace, Gallery | None], Outcome]":
    def evaluate(options: argparse.Namespace, gallery: "Gallery | None") -> Outcome:
        from engine.evaluation import baselines
        from engine.evaluation.edges import evaluate_edges, summary

        edge_map = {"canny": baselines.canny_edges, "sobel": baselines.sobel_edges}[name]
        photos = _annotated(options, "boundaries")
        report = evaluate_edges(photos, edge_map, thresholds=options.thresholds, gallery=gallery)
        return report, summary(report)

    return evaluate


def _proposals(options: argparse.Namespace, gallery: "Gallery | None") -> Outcome:
    from engine.evaluation.proposals import evaluate_proposals, summary

    records = _records(options)
    side = options.points_per_side or 32
    report = evaluate_proposals(predictor(options), records, points_per_side=side, gallery=gallery)
    return report, summary(report)


def _boxes(options: argparse.Namespace, gallery: "Gallery | None") -> Outcome:
    from engine.evaluation.boxes import evaluate_boxes, image_ids_of, read_detections, summary

    records = _records(options)
    found = read_detections(options.boxes, image_ids_of(options.data)) if options.boxes else None
    report = evaluate_boxes(predictor(options), records, passes=options.passes, detections=found, gallery=gallery)
    return report, summary(report)


def _text(options: argparse.Namespace, gallery: "Gallery | None") -> Outcome:
    from engine.evaluation.text import evaluate_text, summary
    from engine.model.text import encoder_of

    model = predictor(options)
    encoder = encoder_of(model.model.text_config(), options.text_encoder)
    report = evaluate_text(model, _records(options), encoder.encode, seed=options.seed, gallery=gallery)
    return report, summary(report)


def _magic_wand(options: argparse.Namespace, gallery: "Gallery | None") -> Outcome:
    from engine.evaluation.baselines import evaluate_magic_wand, summary

    report = evaluate_magic_wand(_records(options))
    return report, summary(report)


def _superpixel(options: argparse.Namespace, gallery: "Gallery | None") -> Outcome:
    from engine.evaluation.baselines import evaluate_superpixel, summary

    report = evaluate_superpixel(_records(options))
    return report, summary(report)


def _grabcut(options: argparse.Namespace, gallery: "Gallery | None") -> Outcome:
    from engine.evaluation.baselines import evaluate_grabcut, summary

    report = evaluate_grabcut(_records(options), gallery=gallery)
    return report, summary(report)


#: What can be evaluated: in a line, and how. Those from magic-wand on show what there is without a model.
EVALUATIONS: "dict[str, tuple[str, Callable[[argparse.Namespace, Gallery | None], Outcome]]]" = {
    "clicks": ("mIoU after 1, 2, 3, 5, 9 clicks; clicks to 85% and 90%; calibration", _clicks),
    "regions": ("one click in each region of several annotators: masks/ID_K.png", _regions),
    "edges": ("zero-shot edges against several annotators: boundaries/ID_K.png", _edges),
    "proposals": ("average recall of everything-mode without its filters", _proposals),
    "boxes": ("masks from boxes, the objects' own or a detector's", _boxes),
    "text": ("by name, by other words and by wrong names, for checkpoints that take text", _text),
    "magic-wand": ("without a model: flood fill by colour at the click", _magic_wand),
    "superpixel": ("without a model: Felzenszwalb's segment at the click", _superpixel),
    "grabcut": ("without a model: GrabCut from the objects' own boxes", _grabcut),
    "canny": ("without a model: Canny's edges", _edges_without_model("canny")),
    "sobel": ("without a model: Sobel's edges", _edges_without_model("sobel")),
}
WITHOUT_MODEL = ("magic-wand", "superpixel", "grabcut", "canny", "sobel")
WITH_PICTURES = ("clicks", "regions", "edges", "proposals", "boxes", "text", "grabcut", "canny", "sobel")
