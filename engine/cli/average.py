"""python -m engine average"""

import argparse
from pathlib import Path

from engine.cli.common import Verbs, share


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    average = verbs.add_parser("average", help="one checkpoint between two, of which one was trained from the other")
    average.add_argument("before", metavar="BEFORE", help="file or name; see `checkpoints`")
    average.add_argument("after", metavar="AFTER")
    average.add_argument("--share", type=share, default=0.5, help="how far to go from BEFORE to AFTER; 0.5")
    average.add_argument("--out", type=Path, required=True, metavar="FILE")
    average.set_defaults(run=run, threads=None)


def run(options: argparse.Namespace) -> None:
    from engine.api import find_checkpoint, licence_of
    from engine.model.average import average
    from engine.model.checkpoint import load_checkpoint, save_checkpoint

    before, after = (load_checkpoint(find_checkpoint(name)) for name in (options.before, options.after))
    licences = {licence_of(options.before), licence_of(options.after)}
    # Of what one licence says nothing of, the mean says nothing either.
    licence = "" if "" in licences else " AND ".join(sorted(licences))
    info = save_checkpoint(average(before, after, options.share), options.out, recipe="average", licence=licence)
    print(f"written to {options.out}, {info.architecture}")
