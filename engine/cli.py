"""The engine alone: python -m engine predict | everything | train | evaluate | export-onnx | checkpoints.

Exit status: 0; 1 failed; 2 bad input or usage, with one sentence on stderr.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.api import DEFAULT_CHECKPOINT
from engine.errors import CheckpointInvalid, EngineError, PromptInvalid

if TYPE_CHECKING:
    from engine.data.records import Record
    from engine.inference.predictor import Predictor
    from engine.model.build import Sam


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)  # before torch is loaded
    try:
        return options.run(options) or 0
    except EngineError as error:
        print(f"engine: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"engine: {error.filename or ''}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--checkpoint", default="maskloop_tiny", metavar="FILE_OR_NAME")
    common.add_argument("--device", default="cpu", help="cpu, cuda, mps")
    common.add_argument("--threads", type=int, help="of the CPU; default: all")

    parser = argparse.ArgumentParser(prog="python -m engine", description="Maskloop's engine, without the platform.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    predict = verbs.add_parser("predict", parents=[common], help="masks for prompts on one photo")
    predict.add_argument("image", type=Path)
    predict.add_argument("--point", action="append", default=[], metavar="X,Y[,0]", help="0: not this")
    predict.add_argument("--box", metavar="X0,Y0,X1,Y1")
    predict.add_argument("--out", type=Path, required=True, metavar="DIR")
    predict.set_defaults(run=_predict)

    everything = verbs.add_parser("everything", parents=[common], help="every object of photos")
    everything.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    everything.add_argument("--out", type=Path, required=True, metavar="DIR")
    everything.add_argument("--points-per-side", type=int, default=32)
    everything.set_defaults(run=_everything)

    train = verbs.add_parser("train", parents=[common], help="one run of a recipe; resumes")
    train.add_argument("recipe")
    train.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR")
    train.add_argument("--exclude", type=Path, metavar="FILE", help="names to leave out, one a line or a json list")
    train.add_argument("--init", metavar="FILE_OR_NAME", help="weights to begin with")
    train.add_argument("--out", type=Path, required=True, metavar="FILE")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--steps", type=int)
    train.add_argument("--json", action="store_true", help="progress as JSON lines")
    train.set_defaults(run=_train)

    evaluate = verbs.add_parser("evaluate", parents=[common], help="how good a checkpoint is")
    evaluate.add_argument("what", choices=["clicks", "magic-wand"], help="magic-wand: what there is without a model")
    evaluate.add_argument("--data", type=Path, required=True, metavar="DIR")
    evaluate.add_argument("--only", type=Path, metavar="FILE", help="names to use, one a line or a json list")
    evaluate.add_argument("--json", type=Path, metavar="FILE")
    evaluate.add_argument("--limit", type=int, metavar="N", help="photos")
    evaluate.add_argument("--clicks", type=int, default=20, help="at most, for each object")
    evaluate.set_defaults(run=_evaluate)

    export = verbs.add_parser("export-onnx", parents=[common], help="the decoder for a browser")
    export.add_argument("--out", type=Path, required=True, metavar="DIR")
    export.set_defaults(run=_export)

    checkpoints = verbs.add_parser("checkpoints", parents=[common], help="what is known and on disk")
    checkpoints.set_defaults(run=_checkpoints)
    return parser


def _predict(options: argparse.Namespace) -> None:
    from engine.data.records import read_rgb
    from engine.inference.predictor import Prompt

    points = [_numbers(text, (2, 3), "--point X,Y or X,Y,0") for text in options.point]
    box = _numbers(options.box, (4,), "--box X0,Y0,X1,Y1") if options.box else None
    rgb = read_rgb(options.image)
    predictor = _predictor(options)
    photo = predictor.embed(rgb)
    answer = predictor.predict(
        photo,
        Prompt(
            points=[(p[0], p[1]) for p in points],
            labels=[int(p[2]) if len(p) == 3 else 1 for p in points],
            box=(box[0], box[1], box[2], box[3]) if box else None,
        ),
    )
    masks = [answer.mask(index) for index in range(len(answer.logits_MHW))]
    point = (
        (points[0][0], points[0][1]) if points else ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) if box else (0, 0)
    )
    annotations = [
        _annotation(i, mask, float(answer.predicted_iou_M[i]), float(answer.stability_M[i]), point)
        for i, mask in enumerate(masks)
    ]
    _write_photo(options.out, options.image, rgb, annotations, masks[:1])
    for annotation in annotations:
        print(f"mask {annotation['id']}: predicted IoU {annotation['predicted_iou']:.2f}, {annotation['area']} px")


def _everything(options: argparse.Namespace) -> None:
    from engine.data.records import read_rgb
    from engine.inference.everything import label_everything
    from engine.inference.settings import EverythingSettings
    from engine.masks import decode

    settings = EverythingSettings(points_per_side=options.points_per_side)
    settings.check()
    predictor = _predictor(options)
    for path in options.images:
        rgb = read_rgb(path)
        found = label_everything(predictor, predictor.embed(rgb), settings)
        masks = [decode(one.rle) for one in found]
        annotations = [
            _annotation(i, mask, one.predicted_iou, one.stability_score, one.point)
            for i, (one, mask) in enumerate(zip(found, masks, strict=True))
        ]
        _write_photo(options.out, path, rgb, annotations, masks)
        print(f"{path}: {len(found)} masks")


def _train(options: argparse.Namespace) -> int:
    import torch

    from engine.data.batches import Source
    from engine.data.records import read_records
    from engine.data.samples import Augmentation
    from engine.data.sources import EmbeddingSource, PhotoSource
    from engine.model.build import build_model
    from engine.model.checkpoint import load_checkpoint
    from engine.recipes import RECIPES
    from engine.training.trainer import Trainer

    if options.threads:
        torch.set_num_threads(options.threads)
    if options.recipe not in RECIPES:
        raise PromptInvalid(f"no recipe {options.recipe!r}; there are {', '.join(RECIPES)}")
    run = RECIPES[options.recipe](seed=options.seed, steps=options.steps)
    leave_out = _names(options.exclude) if options.exclude else frozenset()
    records = [record for source in options.data for record in read_records(source, leave_out=leave_out)]
    torch.manual_seed(run.seed)
    if "image_encoder" in run.learn:
        model = (
            load_checkpoint(_find(options.init), run.architecture) if options.init else build_model(run.architecture)
        )
        side = model.architecture.prompt.image_side
        smallest = max(4, 64 * side * side // 512**2)
        source: Source = PhotoSource(records, Augmentation(full_side=side, min_area_px=smallest))
    else:
        model = load_checkpoint(_find(options.init or options.checkpoint))
        config = model.architecture.prompt
        # Not a size of its own: a decoder learns on the grid that its embeddings have.
        run = run.at_side(config.image_side, model.architecture.name)
        source = EmbeddingSource(records, (config.channels, config.grid, config.grid), config.image_side)
    for line in Trainer(run, model, source, options.out, device=options.device).train():
        print(json.dumps(line) if options.json else _in_words(line), flush=True)
        if "stopped_at" in line:
            return 1
    return 0


def _in_words(line: dict[str, Any]) -> str:
    if "done" in line:
        return f"written to {line['done']}"
    if "stopped_at" in line:
        return f"stopped at step {line['stopped_at']}; the same command goes on from there"
    return f"step {line['step']}/{line['steps']}  loss {line['loss']:.3f}  {line['seconds_left']:.0f} s left"


def _evaluate(options: argparse.Namespace) -> None:
    from engine.data.records import read_records
    from engine.evaluation.clicks import evaluate_clicks
    from engine.model.checkpoint import write_whole

    records = read_records(options.data, only=_names(options.only) if options.only else None)[: options.limit]
    if options.what == "magic-wand":
        _evaluate_magic_wand(options, records)
        return
    predictor = _predictor(options)
    report = evaluate_clicks(predictor, _photos(records, predictor), clicks=options.clicks)
    report = {"checkpoint": str(options.checkpoint), "data": str(options.data), **report}
    if options.json:
        write_whole(options.json, json.dumps(report, indent=1).encode())
    print(f"{report['images']} images, {report['objects']} objects, {report['seconds_per_image']:.2f} s an image")
    for clicks, value in report["miou"].items():
        low, high = report["intervals"][clicks]
        print(f"  mIoU, {clicks} click{'s' * (clicks != '1'):1} {value:.3f}   [{low:.3f}, {high:.3f}]")
    print(f"  mIoU, oracle  {report['oracle']['1']:.3f}   best of the three masks of 1 click")
    print(f"  NoC@85 {report['noc85']:.2f}   NoC@90 {report['noc90']:.2f}   never 90%: {report['failures90']}")
    print(f"  clicks that lowered IoU by over 0.05: {100 * report['worse_by_a_click']:.1f}%")


def _evaluate_magic_wand(options: argparse.Namespace, records: "list[Record]") -> None:
    from engine.evaluation.baselines import evaluate_magic_wand
    from engine.model.checkpoint import write_whole

    report = evaluate_magic_wand((r.pixels(), [m for m in r.read_masks() if m.any()]) for r in records)
    if options.json:
        write_whole(options.json, json.dumps({"data": str(options.data), **report}, indent=1).encode())
    print(f"{report['objects']} objects, best tolerance {report['tolerance']}: mIoU, 1 click {report['miou']['1']:.3f}")


def _photos(records: "list[Record]", predictor: "Predictor") -> Iterator[tuple[str, Any, list[Any]]]:
    from engine.data.sources import read_embedding
    from engine.inference.predictor import EmbeddedPhoto

    config = predictor.model.architecture.prompt
    for record in records:
        if record.embedding is not None and record.size is not None:
            stored = read_embedding(record.embedding, (config.channels, config.grid, config.grid))
            yield record.name, EmbeddedPhoto(stored, record.size), record.read_masks()
        else:
            yield record.name, predictor.embed(record.pixels()), record.read_masks()


def _export(options: argparse.Namespace) -> None:
    from engine.api import describe_checkpoint, export_decoder

    path = _find(options.checkpoint)
    out = options.out / f"{describe_checkpoint(path).decoder_hash}.onnx"
    export_decoder(path, out)
    print(out)


def _checkpoints(_: argparse.Namespace) -> None:
    from engine.api import describe_checkpoint

    for path in sorted(DEFAULT_CHECKPOINT.parent.glob("*.safetensors")):
        info = describe_checkpoint(path)
        print(f"{path.stem}  {path.stat().st_size / 1e6:.1f} MB  {info.licence}  encoder {info.encoder_hash[:12]}")


def _predictor(options: argparse.Namespace) -> "Predictor":
    import torch

    from engine.inference.predictor import Predictor
    from engine.model.checkpoint import load_checkpoint

    if options.threads:
        torch.set_num_threads(options.threads)
    model: Sam = load_checkpoint(_find(options.checkpoint))
    try:
        return Predictor(model.to(options.device))
    except (RuntimeError, AssertionError) as error:
        raise PromptInvalid(f"the device {options.device!r} cannot be used: {str(error).splitlines()[0]}") from error


def _find(name: str) -> Path:
    """A file, or the name of weights that come with the source."""
    for path in (Path(name), DEFAULT_CHECKPOINT.parent / f"{name}.safetensors"):
        if path.is_file():
            return path
    raise CheckpointInvalid(f"there is no checkpoint {name!r}, neither as a file nor as a name")


def _names(path: Path) -> frozenset[str]:
    text = path.read_text(encoding="utf-8")
    return frozenset(map(str, json.loads(text)) if text.lstrip().startswith("[") else text.split())


def _numbers(text: str, counts: tuple[int, ...], wanted: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in counts:
        raise PromptInvalid(f"{text!r} is not {wanted}")
    return numbers


def _annotation(number: int, mask: Any, predicted_iou: float, stability: float, point: Any) -> dict[str, Any]:
    """One of SA-1B's annotations. Boxes are (x, y, width, height), as COCO's `toBbox` gives them."""
    from engine.masks import bbox, encode

    rle = encode(mask)
    x0, y0, x1, y1 = bbox(rle)
    height, width = mask.shape
    return {
        "id": number,
        "segmentation": rle,
        "bbox": [float(v) for v in (x0, y0, x1 - x0, y1 - y0)],
        "area": int(mask.sum()),
        "predicted_iou": predicted_iou,
        "stability_score": stability,
        "crop_box": [0.0, 0.0, float(width), float(height)],
        "point_coords": [[float(v) for v in point]],
    }


def _write_photo(folder: Path, path: Path, rgb: Any, annotations: list[dict[str, Any]], masks: list[Any]) -> None:
    """ID.json as in SA-1B, and ID_overlay.jpg to look at."""
    import colorsys

    import cv2
    import numpy as np

    from engine.model.checkpoint import write_whole

    height, width = rgb.shape[:2]
    image = {"image_id": 0, "width": width, "height": height, "file_name": path.name}
    write_whole(folder / f"{path.stem}.json", json.dumps({"image": image, "annotations": annotations}).encode())
    overlay = rgb.astype(np.float32)
    for index, mask in sorted(enumerate(masks), key=lambda pair: -pair[1].sum()):
        colour = np.array(colorsys.hsv_to_rgb(index * 0.381966 % 1, 0.75, 1.0)) * 255
        overlay[mask] = 0.5 * overlay[mask] + 0.5 * colour
    drawn = cv2.cvtColor(overlay.astype(np.uint8), cv2.COLOR_RGB2BGR)
    for mask in masks:
        edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, edges, -1, (255, 255, 255), 1)
    write_whole(folder / f"{path.stem}_overlay.jpg", cv2.imencode(".jpg", drawn)[1].tobytes())
