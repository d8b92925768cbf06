"""python -m engine everything"""

import argparse
from pathlib import Path

from engine.cli.common import Verbs, annotation, predictor, write_photo


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    everything = verbs.add_parser("everything", parents=[common], help="every object of photos")
    everything.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    everything.add_argument("--out", type=Path, required=True, metavar="DIR")
    everything.add_argument("--points-per-side", type=int, default=32)
    everything.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from engine.data.records import read_rgb
    from engine.inference.everything import label_everything
    from engine.inference.settings import EverythingSettings
    from engine.masks import decode

    settings = EverythingSettings(points_per_side=options.points_per_side)
    settings.check()
    model = predictor(options)
    for path in options.images:
        rgb = read_rgb(path)
        found = label_everything(model, model.embed(rgb), settings)
        masks = [decode(one.rle) for one in found]
        annotations = [
            annotation(i, mask, one.predicted_iou, one.stability_score, one.point)
            for i, (one, mask) in enumerate(zip(found, masks, strict=True))
        ]
        write_photo(options.out, path, rgb, annotations, masks)
        print(f"{path}: {len(found)} masks")
