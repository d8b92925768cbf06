"""python -m engine everything"""

import argparse
from dataclasses import replace
from pathlib import Path

from engine.cli.common import Verbs, annotation, predictor, write_photo
from engine.errors import PromptInvalid
from engine.inference.settings import MODES, PRESETS, EverythingSettings, usual_settings


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    everything = verbs.add_parser("everything", parents=[common], help="every object of photos")
    everything.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    everything.add_argument("--out", type=Path, required=True, metavar="DIR")
    everything.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        help="of the settings; default: released for SAM and MobileSAM, else maskloop",
    )
    everything.add_argument("--mode", choices=MODES, help="adaptive asks fewer points, and misses a few masks")
    everything.add_argument("--crops", type=int, choices=[0, 1, 2], help="layers of crops: 2 x 2, then 4 x 4")
    everything.add_argument("--points-per-side", type=int)
    everything.add_argument(
        "--points-per-batch", type=int, help="that go through the decoder together; default: 4, on a graphics card 64"
    )
    everything.add_argument("--min-predicted-iou", type=float)
    everything.add_argument("--min-stability", type=float)
    everything.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from engine.data.records import read_rgb
    from engine.inference.everything import label_everything

    wanted = {
        "mode": options.mode,
        "crop_layers": options.crops,
        "points_per_side": options.points_per_side,
        "points_per_batch": options.points_per_batch,
        "min_predicted_iou": options.min_predicted_iou,
        "min_stability": options.min_stability,
    }
    said = {name: value for name, value in wanted.items() if value is not None}
    replace(EverythingSettings(), **said).check()  # before the model is loaded, which takes a while
    stems = [path.stem for path in options.images]
    if len(set(stems)) < len(stems):
        raise PromptInvalid("two of the photos have the same name, and so would what is written of them")
    model = predictor(options)
    preset = PRESETS[options.preset] if options.preset else usual_settings(model.model.architecture.name)
    settings = replace(preset, **said)
    for number, path in enumerate(options.images):
        rgb = read_rgb(path)
        found = label_everything(model, model.embed(rgb), settings, rgb_HW3=rgb)
        annotations = [
            annotation(i, one.rle, one.predicted_iou, one.stability_score, [one.point], one.crop_box)
            for i, one in enumerate(found)
        ]
        write_photo(options.out, path, rgb, annotations, number=number)
        print(f"{path}: {len(found)} masks")
