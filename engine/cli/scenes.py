"""python -m engine scenes"""

import argparse
from pathlib import Path

from engine.cli.common import Verbs
from engine.errors import PromptInvalid


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    scenes = verbs.add_parser("scenes", help="draw simple scenes with their masks, as a label-map folder to train on")
    scenes.add_argument("--out", type=Path, required=True, metavar="DIR")
    scenes.add_argument("--count", type=int, default=450)
    scenes.add_argument("--side", type=int, default=384, metavar="PX", help="of the square scenes; 384")
    scenes.add_argument("--seed", type=int, default=0)
    scenes.add_argument("--photos", type=Path, metavar="DIR", help="photos that may lie behind what is drawn")
    scenes.set_defaults(run=run, threads=None)


def run(options: argparse.Namespace) -> None:
    from engine.data.records import read_photos
    from engine.data.scenes import write_scenes

    for name, least in (("count", 1), ("side", 32)):
        if getattr(options, name) < least:
            raise PromptInvalid(f"--{name} is {least} or more, not {getattr(options, name)}")
    photos = [record.image for record in read_photos(options.photos)] if options.photos else []
    write_scenes(
        options.out,
        count=options.count,
        side=options.side,
        seed=options.seed,
        photos=[photo for photo in photos if photo is not None],
    )
    print(f"written to {options.out}")
