"""python -m engine evaluate"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.common import Verbs, names, photos, predictor

if TYPE_CHECKING:
    from engine.data.records import Record


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    evaluate = verbs.add_parser("evaluate", parents=[common], help="how good a checkpoint is")
    evaluate.add_argument("what", choices=["clicks", "magic-wand"], help="magic-wand: what there is without a model")
    evaluate.add_argument("--data", type=Path, required=True, metavar="DIR")
    evaluate.add_argument("--only", type=Path, metavar="FILE", help="names to use, one a line or a json list")
    evaluate.add_argument("--json", type=Path, metavar="FILE")
    evaluate.add_argument("--limit", type=int, metavar="N", help="photos")
    evaluate.add_argument("--clicks", type=int, default=20, help="at most, for each object")
    evaluate.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from engine.data.records import read_records
    from engine.evaluation.clicks import evaluate_clicks
    from engine.model.checkpoint import write_whole

    records = read_records(options.data, only=names(options.only) if options.only else None)[: options.limit]
    if options.what == "magic-wand":
        _evaluate_magic_wand(options, records)
        return
    model = predictor(options)
    report = evaluate_clicks(model, photos(records, model), clicks=options.clicks)
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
