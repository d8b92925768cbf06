"""python -m engine compositions"""

import argparse
from pathlib import Path

from engine.cli.common import Verbs, names, share
from engine.errors import PromptInvalid


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    compositions = verbs.add_parser(
        "compositions", help="put objects cut out of photos into other photos, as a label-map folder to train on"
    )
    compositions.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR", help="photos with masks")
    compositions.add_argument(
        "--exclude", type=Path, metavar="FILE", help="names to leave out, one a line or a json list"
    )
    compositions.add_argument(
        "--hold-out", type=share, metavar="SHARE", help="leave out those that training with the same share validates on"
    )
    compositions.add_argument("--out", type=Path, required=True, metavar="DIR")
    compositions.add_argument("--count", type=int, default=900)
    compositions.add_argument("--seed", type=int, default=0)
    compositions.set_defaults(run=run, threads=None)


def run(options: argparse.Namespace) -> None:
    from engine.data.compositions import write_compositions
    from engine.data.records import held_out, read_records

    if options.count < 1:
        raise PromptInvalid(f"--count is 1 or more, not {options.count}")
    leave_out = names(options.exclude) if options.exclude else frozenset()
    records = [record for source in options.data for record in read_records(source, leave_out=leave_out)]
    if options.hold_out:
        records, _ = held_out(records, options.hold_out)
    write_compositions(options.out, records, count=options.count, seed=options.seed)
    print(f"written to {options.out}")
