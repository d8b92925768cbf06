"""python -m engine checkpoints"""

import argparse

from engine.api import DEFAULT_CHECKPOINT
from engine.cli.common import Verbs


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    checkpoints = verbs.add_parser("checkpoints", parents=[common], help="what is known and on disk")
    checkpoints.set_defaults(run=run)


def run(_: argparse.Namespace) -> None:
    from engine.api import describe_checkpoint

    for path in sorted(DEFAULT_CHECKPOINT.parent.glob("*.safetensors")):
        info = describe_checkpoint(path)
        print(f"{path.stem}  {path.stat().st_size / 1e6:.1f} MB  {info.licence}  encoder {info.encoder_hash[:12]}")
