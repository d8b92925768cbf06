"""python -m engine train"""

import argparse
import json
from pathlib import Path
from typing import Any

from engine.cli.common import Verbs, find, names
from engine.errors import PromptInvalid


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    train = verbs.add_parser("train", parents=[common], help="one run of a recipe; resumes")
    train.add_argument("recipe")
    train.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR")
    train.add_argument("--exclude", type=Path, metavar="FILE", help="names to leave out, one a line or a json list")
    train.add_argument("--init", metavar="FILE_OR_NAME", help="weights to begin with")
    train.add_argument(
        "--text-encoder", metavar="SPEC", default="minilm", help="of the recipe text: minilm, clip, or with a :PLACE"
    )
    train.add_argument("--out", type=Path, required=True, metavar="FILE")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--steps", type=int)
    train.add_argument("--json", action="store_true", help="progress as JSON lines")
    train.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    import torch

    from engine.data.batches import Source
    from engine.data.records import read_records
    from engine.data.samples import Augmentation
    from engine.data.sources import EmbeddingSource, PhotoSource
    from engine.model.build import build_model
    from engine.model.checkpoint import load_checkpoint
    from engine.recipes import RECIPES
    from engine.training.naming import prepare_text
    from engine.training.trainer import Trainer

    if options.threads:
        torch.set_num_threads(options.threads)
    if options.recipe not in RECIPES:
        raise PromptInvalid(f"no recipe {options.recipe!r}; there are {', '.join(RECIPES)}")
    run = RECIPES[options.recipe](seed=options.seed, steps=options.steps)
    leave_out = names(options.exclude) if options.exclude else frozenset()
    records = [record for source in options.data for record in read_records(source, leave_out=leave_out)]
    torch.manual_seed(run.seed)
    learns_text = "text_projection" in run.learn
    if "image_encoder" in run.learn and not learns_text:
        model = load_checkpoint(find(options.init), run.architecture) if options.init else build_model(run.architecture)
        embedded = False
    else:
        model = load_checkpoint(find(options.init or options.checkpoint))
        # Not a size of its own: a decoder learns on the grid that its embeddings have.
        run = run.at_side(model.architecture.prompt.image_side, model.architecture.name)
        embedded = not learns_text or all(record.embedding for record in records)
    if learns_text:
        records = prepare_text(model, records, options.text_encoder, device=options.device, seed=run.seed)
    config = model.architecture.prompt
    side = config.image_side
    if embedded and "image_encoder" not in run.learn:
        source: Source = EmbeddingSource(records, (config.channels, config.grid, config.grid), side)
    else:
        smallest = max(4, 64 * side * side // 512**2)
        source = PhotoSource(records, Augmentation(full_side=side, min_area_px=smallest))
    for line in Trainer(run, model, source, options.out, device=options.device).train():
        print(json.dumps(line) if options.json else _in_words(line), flush=True)
        if "stopped_at" in line:
            return 1
    return 0


def _in_words(line: dict[str, Any]) -> str:
    if "done" in line:
        return f"written to {line['done']}"
    if "stopped_at" in line:
        return f"stopped at step {line['stopped_at']}; the same command goes on from there"
    return f"step {line['step']}/{line['steps']}  loss {line['loss']:.3f}  {line['seconds_left']:.0f} s left"
