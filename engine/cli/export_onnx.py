"""python -m engine export-onnx"""

import argparse
from pathlib import Path

from engine.cli.common import Verbs


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    export = verbs.add_parser("export-onnx", parents=[common], help="the decoder for a browser")
    export.add_argument("--out", type=Path, required=True, metavar="DIR")
    export.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from engine.api import describe_checkpoint, export_decoder, find_checkpoint

    path = find_checkpoint(options.checkpoint)
    out = options.out / f"{describe_checkpoint(path).decoder_hash}.onnx"
    export_decoder(path, out)
    print(out)
