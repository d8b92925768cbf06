"""python -m engine lease: as much of a run as fits into the minutes that a fast machine is lent for"""

import argparse
import json
import shutil
import time
from pathlib import Path

from engine.cli.common import Verbs
from engine.errors import PromptInvalid

#: What writing and cutting the results may take, beside what is asked for evaluation.
RESERVE_MINUTES = 0.25


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    lease = verbs.add_parser(
        "lease",
        parents=[common],
        help="train on a pack for some minutes, evaluate, and leave all in parts",
        description="Unpacks photos, trains until the minutes are nearly over, evaluates on the photos that were held out, but "
        "for those that the best weights were chosen on, and leaves weights, report, log and state in --out, cut in parts. The "
        "next call goes on from --work where that is still there, else from the parts in --carried.",
    )
    lease.add_argument("recipe")
    lease.add_argument("--pack", type=Path, required=True, metavar="FILE")
    lease.add_argument("--out", type=Path, required=True, metavar="DIR", help="for what comes back")
    lease.add_argument("--work", type=Path, default=Path("lease"), metavar="DIR", help="for what may stay; lease")
    lease.add_argument("--carried", type=Path, metavar="DIR", help="the --out of the call before")
    lease.add_argument("--minutes", type=float, required=True, metavar="M", help="for everything")
    lease.add_argument("--evaluate-minutes", type=float, default=1.0, metavar="M", help="of them; 0: no evaluation")
    lease.add_argument("--limit", type=int, metavar="N", help="of the photos that are evaluated on")
    lease.add_argument("--init", metavar="FILE_OR_NAME", help="weights to begin with")
    lease.add_argument("--steps", type=int)
    lease.add_argument("--seed", type=int, help="of all that is random; the recipe's own")
    lease.add_argument(
        "--state", choices=["whole", "light"], default="light", help="what comes back to go on from; light"
    )
    lease.add_argument("--compile", action="store_true", help="the image encoder")
    lease.set_defaults(run=run, checkpoint=None)


def run(options: argparse.Namespace) -> int:
    import torch

    from engine.cli import main
    from engine.data.pack import unpack
    from engine.data.parts import cut, join
    from engine.data.records import read_records
    from engine.training.state import lighten
    from engine.training.validation import validated

    began = time.monotonic()
    if options.checkpoint is not None:
        raise PromptInvalid("lease would not use --checkpoint: the weights that it begins with are --init")
    to_train = options.minutes - options.evaluate_minutes - RESERVE_MINUTES
    if to_train <= 0:
        raise PromptInvalid(f"of {options.minutes:g} minutes none are left to train in")
    torch.set_float32_matmul_precision("high")
    photos, weights = options.work / "photos", options.work / f"{options.recipe}.safetensors"
    unpack(options.pack, photos)
    if options.carried and not weights.exists() and not _state(weights).exists():
        for manifest in sorted(options.carried.glob("*.parts.json")):
            join(manifest, options.work)
    given = ["--device", options.device] + (["--threads", str(options.threads)] if options.threads else [])
    to_train -= (time.monotonic() - began) / 60
    trained = main(
        [
            *("train", options.recipe, *given, "--on-device", "--minutes", str(max(to_train, 0.001))),
            *("--data", str(photos / "train"), "--validate", str(photos / "held_out"), "--out", str(weights)),
            *(["--seed", str(options.seed)] if options.seed is not None else []),
            *(["--init", options.init] if options.init else []),
            *(["--steps", str(options.steps)] if options.steps else []),
            *(["--compile"] if options.compile else []),
        ]
    )
    if trained > 1 or not (weights.exists() or _state(weights).exists()):
        return trained
    options.out.mkdir(parents=True, exist_ok=True)
    if weights.exists():  # there is none before the first validation
        held_out = read_records(photos / "held_out")
        chosen_on = {record.name for record in validated(held_out)}
        apart = [record.name for record in held_out if record.name not in chosen_on]
        if options.evaluate_minutes and apart:
            print(f"evaluated on held-out photos that the weights were not chosen on: {len(apart)} of {len(held_out)}")
            report, only = options.work / "clicks.json", options.work / "apart.json"
            only.write_text(json.dumps(apart), encoding="utf-8")
            main(
                [
                    *("evaluate", "clicks", *given, "--data", str(photos / "held_out"), "--only", str(only)),
                    *("--checkpoint", str(weights), "--json", str(report)),
                    *(["--limit", str(options.limit)] if options.limit else []),
                ]
            )
            shutil.copy(report, options.out)
        elif options.evaluate_minutes:
            print(f"not evaluated: the weights were chosen on all of the {len(held_out)} held-out photos")
        cut(weights, options.out)
    log = weights.with_name(weights.name + ".log.jsonl")
    cut(log, options.out)
    state = _state(weights)
    if state.exists():
        if options.state == "light":
            carried = options.work / "light" / state.name
            lighten(state, carried)
            state = carried
        cut(state, options.out)
    print(f"{sum(file.stat().st_size for file in options.out.iterdir()) / 1e6:.1f} MB in {options.out}")
    return trained


def _state(weights: Path) -> Path:
    return weights.with_name(weights.name + ".state")
