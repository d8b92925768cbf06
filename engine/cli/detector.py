"""python -m engine detector train | evaluate | detect"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.api import find_checkpoint
from engine.cli.common import Verbs, names, predictor
from engine.errors import DataInvalid, PromptInvalid

if TYPE_CHECKING:
    from engine.detector.detect import DetectedBox


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    detector = verbs.add_parser("detector", help="boxes of objects, any object: train, evaluate, detect")
    what = detector.add_subparsers(required=True, metavar="WHAT")

    train = what.add_parser(
        "train", parents=[common], help="on the embeddings of a checkpoint; minutes, does not resume"
    )
    train.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR")
    train.add_argument("--out", type=Path, required=True, metavar="FILE")
    train.add_argument("--exclude", type=Path, metavar="FILE", help="names to leave out, one a line or a json list")
    train.add_argument(
        "--complete",
        type=Path,
        metavar="FILE",
        help="names of photos with every object outlined; default: as the data says",
    )
    train.add_argument(
        "--calibrate", type=Path, metavar="FILE", help="complete photos to calibrate on; default: a fifth"
    )
    train.add_argument("--cache", type=Path, metavar="DIR", help="keeps embeddings for the next run")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--steps", type=int)
    train.add_argument("--json", action="store_true", help="progress as JSON lines")
    train.set_defaults(run=run_train)

    evaluate = what.add_parser(
        "evaluate", parents=[common], help="recall, precision and calibration on complete photos"
    )
    evaluate.add_argument("--detector", type=Path, required=True, metavar="FILE")
    evaluate.add_argument("--data", type=Path, required=True, metavar="DIR")
    evaluate.add_argument(
        "--only",
        type=Path,
        metavar="FILE",
        help="names of complete photos to use; default: those that the data calls so",
    )
    evaluate.add_argument("--precision", type=float, default=0.5, help="that the threshold is to promise; default 0.5")
    evaluate.add_argument("--json", type=Path, metavar="FILE")
    evaluate.add_argument("--limit", type=int, metavar="N", help="photos")
    evaluate.set_defaults(run=run_evaluate)

    detect = what.add_parser("detect", parents=[common], help="the boxes of photos")
    detect.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    detect.add_argument("--detector", type=Path, required=True, metavar="FILE")
    detect.add_argument("--out", type=Path, required=True, metavar="DIR")
    detect.add_argument("--precision", type=float, help="only boxes above the threshold that promises this precision")
    detect.set_defaults(run=run_detect)


def run_train(options: argparse.Namespace) -> None:
    import tempfile

    from engine.api import describe_checkpoint
    from engine.data.records import read_records
    from engine.detector.examples import Embedder
    from engine.detector.training import DetectorRun, train_detector

    leave_out = names(options.exclude) if options.exclude else frozenset()
    records = [record for source in options.data for record in read_records(source, leave_out=leave_out)]
    if len({record.name for record in records}) < len(records):
        raise DataInvalid("two of the photos have the same name, so it cannot be told which of them is complete")
    run = DetectorRun(seed=options.seed, steps=DetectorRun().steps if options.steps is None else options.steps)
    run.check()
    model = predictor(options)
    with tempfile.TemporaryDirectory(prefix="maskloop-detector-") as folder:
        info = describe_checkpoint(find_checkpoint(options.checkpoint))
        train_detector(
            run,
            records,
            Embedder(model, info.encoder_hash, info.decoder_hash, options.cache or Path(folder)),
            options.out,
            complete=names(options.complete) if options.complete else None,
            calibrate_on=names(options.calibrate) if options.calibrate else None,
            tell=lambda line: print(json.dumps(line) if options.json else _in_words(line), flush=True),
        )


def run_evaluate(options: argparse.Namespace) -> None:
    import time

    from engine.api import describe_checkpoint
    from engine.data.records import read_records
    from engine.detector.detect import Detector
    from engine.evaluation.detector import evaluate_detector, photo_boxes
    from engine.evaluation.given import embedded, objects
    from engine.evaluation.statistics import interval_in_words
    from engine.model.checkpoint import write_whole

    detector = Detector.load(options.detector)
    threshold = detector.calibration.threshold_for_precision(options.precision)
    records = read_records(options.data, only=names(options.only) if options.only else None)
    # Whoever names the photos vouches for them, unless the data says otherwise.
    records = [r for r in records if r.complete or (options.only and r.complete is None)][: options.limit]
    if not records:
        raise DataInvalid(f"{options.data}: no photo is known to be complete, and in others precision means nothing")
    encoder_hash = describe_checkpoint(find_checkpoint(options.checkpoint)).encoder_hash
    model = predictor(options)
    results, seconds = [], []
    for record in records:
        photo = embedded(record, model)
        truths, ignored = objects(record, photo.size)
        began = time.perf_counter()
        detected = detector.detect(photo.embedding, photo.size, encoder_hash=encoder_hash)
        seconds.append(time.perf_counter() - began)
        results.append(photo_boxes([(found.box, found.confidence) for found in detected], truths, ignored))
    report = {
        "detector": str(options.detector),
        "data": str(options.data),
        "asked_precision": options.precision,
        **evaluate_detector(results, threshold=threshold.confidence if threshold else None),
        "seconds_per_image": sum(seconds) / len(seconds),
    }
    if options.json:
        write_whole(options.json, json.dumps(report, indent=1).encode())
    print(
        f"{report['images']} images, {report['objects']} objects, {1000 * report['seconds_per_image']:.0f} ms an image"
    )
    for iou in ("0.5", "0.75"):
        interval = interval_in_words(report["intervals"][f"recall {iou}"])
        print(f"  recall at IoU {iou:4}  {_said(report['recall'][iou])}   {interval}, 100 boxes an image")
    print(
        f"  AR@100 {_said(report['ar100'])}   AP {_said(report['ap']['0.5:0.95'])}"
        f"   AP at IoU 0.5 {_said(report['ap']['0.5'])}"
    )
    print(
        f"  calibration error {report['calibration']['error']:.3f}   from 0.1 on {report['calibration']['error_from_0.1']:.3f}"
    )
    at = report["at_threshold"]
    if at is None:
        print(f"  {_cannot_promise(detector, options.precision)}")
    elif at["precision"] is None:
        print(f"  confidence {at['confidence']:.3f}: no box reaches it")
    else:
        print(f"  confidence {at['confidence']:.3f}: precision {at['precision']:.3f}, recall {_said(at['recall'])}")


def _said(share: float | None) -> str:
    return "–" if share is None else f"{share:.3f}"


def run_detect(options: argparse.Namespace) -> None:
    from engine.api import describe_checkpoint
    from engine.data.records import read_rgb
    from engine.detector.detect import Detector
    from engine.detector.files import describe_detector
    from engine.model.checkpoint import write_whole

    detector, info = Detector.load(options.detector), describe_detector(options.detector)
    min_confidence = 0.0
    if options.precision is not None:
        threshold = detector.calibration.threshold_for_precision(options.precision)
        if threshold is None:
            raise PromptInvalid(_cannot_promise(detector, options.precision))
        min_confidence = threshold.confidence
    encoder_hash = describe_checkpoint(find_checkpoint(options.checkpoint)).encoder_hash
    model = predictor(options)
    for path in options.images:
        rgb = read_rgb(path)
        photo = model.embed(rgb)
        found = detector.detect(photo.embedding, photo.size, encoder_hash=encoder_hash, min_confidence=min_confidence)
        content = {
            "image": {"file_name": path.name, "height": photo.size[0], "width": photo.size[1]},
            "detector_hash": info.detector_hash,
            "encoder_hash": encoder_hash,
            "boxes": [{"box": [round(edge, 2) for edge in one.box], "confidence": one.confidence} for one in found],
        }
        write_whole(options.out / f"{path.stem}_boxes.json", json.dumps(content).encode())
        _draw(options.out / f"{path.stem}_boxes.jpg", rgb, found)
        print(f"{path}: {len(found)} boxes")


def _draw(out: Path, rgb: Any, found: "list[DetectedBox]") -> None:
    """The photo with the boxes that are likelier objects than not, the likelier the greener."""
    import cv2

    from engine.model.checkpoint import write_whole

    drawn = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    for one in reversed(found):
        if one.confidence >= 0.5:
            x0, y0, x1, y1 = (round(edge) for edge in one.box)
            green = int(255 * (2 * one.confidence - 1))
            cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), (0, green, 255 - green), 2)
    write_whole(out, cv2.imencode(".jpg", drawn)[1].tobytes())


def _cannot_promise(detector: Any, precision: float) -> str:
    best = detector.calibration.best_bound()
    known = f"at most {best.lower_bound:.3f}, from {best.boxes} boxes" if best else "none at all"
    return f"a precision of {precision:g} cannot be promised; the photos it was calibrated on allow {known}"


def _in_words(line: dict[str, Any]) -> str:
    if "done" in line:
        return f"written to {line['done']}"
    if "embedded" in line:
        return f"{line['embedded']} of {line['photos']} photos embedded"
    return f"step {line['step']}/{line['steps']}  loss {line['loss']:.3f}  IoU of boxes {line['iou']:.3f}"
