"""python -m engine pack | unpack | cut | join: data and weights on their way to another machine and back"""

import argparse
import sys
from pathlib import Path

from engine.cli.common import Verbs, names, share
from engine.errors import PromptInvalid


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    pack = verbs.add_parser("pack", help="photos and masks, as large as training wants them, as one small file")
    pack.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR")
    pack.add_argument("--exclude", type=Path, metavar="FILE", help="names to leave out, one a line or a json list")
    held_out = pack.add_mutually_exclusive_group(required=True)
    held_out.add_argument("--held-out", type=Path, metavar="FILE", help="names of the split held_out, like --exclude")
    held_out.add_argument("--hold-out", type=share, metavar="SHARE", help="that share of the photos, by name")
    pack.add_argument("--side", type=int, default=384, metavar="PX", help="of the model's input; 384")
    pack.add_argument("--most-mb", type=float, default=35.0, metavar="MB", help="the file's; 35")
    pack.add_argument("--out", type=Path, required=True, metavar="FILE")
    pack.set_defaults(run=run_pack, threads=None)

    unpack = verbs.add_parser("unpack", help="a pack as folders that --data takes: DIR/train and DIR/held_out")
    unpack.add_argument("file", type=Path)
    unpack.add_argument("--out", type=Path, required=True, metavar="DIR")
    unpack.set_defaults(run=run_unpack, threads=None)

    cut = verbs.add_parser("cut", help="files in parts under 16 MB, with a manifest each")
    cut.add_argument("files", type=Path, nargs="+", metavar="FILE")
    cut.add_argument("--out", type=Path, required=True, metavar="DIR")
    cut.set_defaults(run=run_cut, threads=None)

    join = verbs.add_parser("join", help="the files that parts were cut from")
    join.add_argument("folder", type=Path, metavar="DIR")
    join.add_argument("--out", type=Path, required=True, metavar="DIR")
    join.set_defaults(run=run_join, threads=None)


def run_pack(options: argparse.Namespace) -> None:
    from engine.data.pack import write_pack
    from engine.data.records import held_out, read_records

    if options.side < 16:
        raise PromptInvalid(f"--side is 16 pixels or more, not {options.side}")
    left_out = names(options.exclude) if options.exclude else frozenset()
    records = [record for folder in options.data for record in read_records(folder, leave_out=left_out)]
    if options.held_out:
        shown = names(options.held_out)
        splits = {
            "train": [record for record in records if record.name not in shown],
            "held_out": [record for record in records if record.name in shown],
        }
    else:
        splits = dict(zip(("train", "held_out"), held_out(records, options.hold_out), strict=True))
    index = write_pack(
        splits,
        options.out,
        side=options.side,
        most_bytes=round(options.most_mb * 1e6),
        tell=lambda line: print(line, file=sys.stderr),
    )
    for split, about in index["splits"].items():
        print(f"{split}: {about['photos']} photos, {about['objects']} objects, {about['sha256']}")
    size = options.out.stat().st_size / 1e6
    print(f"{options.out}: {size:.1f} MB, {index['longest_side']} px, JPEG quality {index['quality']}")


def run_unpack(options: argparse.Namespace) -> None:
    from engine.data.pack import unpack

    for split, about in unpack(options.file, options.out)["splits"].items():
        print(f"{options.out / split}: {about['photos']} photos, {about['objects']} objects, {about['sha256']}")


def run_cut(options: argparse.Namespace) -> None:
    from engine.data.parts import cut

    for file in options.files:
        print(cut(file, options.out))


def run_join(options: argparse.Namespace) -> None:
    from engine.data.parts import join

    manifests = sorted(options.folder.glob("*.parts.json"))
    if not manifests:
        raise PromptInvalid(f"there are no parts in {options.folder}")
    for manifest in manifests:
        print(join(manifest, options.out))
