"""The engine alone: python -m engine predict | everything | detector | train | evaluate | export-onnx | checkpoints,
compositions | scenes | average, and for training elsewhere pack | unpack | lease | cut | join.

Exit status: 0; 1 failed; 2 bad input or usage, with one sentence on stderr. Each verb is a module here, with `add`, which
declares its options, and `run`, which loads torch only once they are read.
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence

from engine.cli import (
    average,
    checkpoints,
    compositions,
    detector,
    evaluate,
    everything,
    export_onnx,
    lease,
    pack,
    predict,
    scenes,
    train,
)
from engine.cli.common import common_options
from engine.errors import EngineError

VERBS = (
    predict,
    everything,
    detector,
    train,
    evaluate,
    export_onnx,
    checkpoints,
    compositions,
    scenes,
    average,
    pack,
    lease,
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(_numbers_joined(sys.argv[1:] if arguments is None else arguments))
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


def _numbers_joined(arguments: Sequence[str]) -> list[str]:
    """A place outside the photo may begin with a minus, which argparse takes for an option: `--point -1,5`."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in ("--point", "--box") and re.match(r"-[\d.]", argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="python -m engine", description="Maskloop's engine, without the platform.")
    verbs = whole.add_subparsers(required=True, metavar="VERB")
    for verb in VERBS:
        verb.add(verbs, common_options())
    return whole
