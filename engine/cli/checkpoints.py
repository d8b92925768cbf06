"""python -m engine checkpoints"""

import argparse
import sys
from pathlib import Path

from engine.api import DEFAULT_CHECKPOINT, describe_checkpoint
from engine.cli.common import Verbs
from engine.errors import CheckpointInvalid, FetchFailed
from engine.model.known import FOLDER_VARIABLE, KNOWN, KnownCheckpoint, checkpoint_folder


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    checkpoints = verbs.add_parser(
        "checkpoints", parents=[common], help="what is known, what is on disk, how to get the rest"
    )
    checkpoints.add_argument("--fetch", metavar="NAME", help=f"one of {', '.join(KNOWN)}")
    checkpoints.add_argument(
        "--into",
        type=Path,
        metavar="DIR",
        help=f"look and fetch there; default: ${FOLDER_VARIABLE}, or ~/.cache/maskloop. Other verbs look up names in the "
        "default only: give them the file's path, or set the variable",
    )
    checkpoints.add_argument("--url", help="of a mirror that has the same file, to fetch from instead")
    checkpoints.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    folder = options.into or checkpoint_folder()
    if options.fetch is None:
        for path in sorted(DEFAULT_CHECKPOINT.parent.glob("*.safetensors")):
            list_ours(path)
        for known in KNOWN.values():
            list_published(known, folder)
        return 0
    if options.fetch == DEFAULT_CHECKPOINT.stem:
        print(f"{options.fetch} comes with the source: {DEFAULT_CHECKPOINT}")
        return 0
    if options.fetch not in KNOWN:
        raise CheckpointInvalid(f"no checkpoint {options.fetch!r} is known; there are {', '.join(KNOWN)}")
    try:
        from engine.model.fetch import fetch

        path = fetch(KNOWN[options.fetch], folder, url=options.url, report=Progress(options.fetch))
    except FetchFailed as error:
        print(f"engine: {error}", file=sys.stderr)
        return 1
    print(path)
    return 0


def list_ours(path: Path) -> None:
    info = describe_checkpoint(path)
    print(f"{path.stem}  on disk, {path.stat().st_size / 1e6:.1f} MB, {info.licence}, comes with the source")
    print(f"    {path}")
    print(f"    encoder {info.encoder_hash}")
    print(f"    decoder {info.decoder_hash}")


def list_published(known: KnownCheckpoint, folder: Path) -> None:
    from engine.model.fetch import sha256_of

    path = folder / known.file
    about = f"{known.size / 1e6:.1f} MB, {known.licence}, {known.url}"
    if not path.is_file():
        print(f"{known.name}  not on disk, {about}")
        print(f"    get it with: {known.fetch_command}")
    elif sha256_of(path) == known.sha256:
        print(f"{known.name}  on disk, {about}")
        print(f"    {path}")
    else:
        print(f"{known.name}  on disk, but not the published file, {about}")
        print(f"    {path}")
        print(f"    get it with: {known.fetch_command}")
    print(f"    sha256 {known.sha256}")


class Progress:
    """How far it is, on stderr: one line that changes where a person looks on, else a line for every tenth."""

    def __init__(self, name: str) -> None:
        self.name, self.said = name, -1

    def __call__(self, done: int, total: int | None) -> None:
        steps = 1000 if sys.stderr.isatty() else 10
        step = int(done / total * steps) if total else done >> 24
        if step == self.said:
            return
        self.said = step
        whole = f" of {total / 1e6:.1f}" if total else ""
        end = "\r" if sys.stderr.isatty() and done != total else "\n"
        print(f"{self.name}: {done / 1e6:.1f}{whole} MB", end=end, file=sys.stderr, flush=True)
