"""python -m engine train"""

import argparse
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.api import find_checkpoint, licence_of
from engine.cli.common import DEFAULT_NAME, Verbs, names, share
from engine.errors import PromptInvalid

if TYPE_CHECKING:
    from engine.data.batches import Source
    from engine.data.records import Record
    from engine.model.build import Sam
    from engine.training.distributed import Workers
    from engine.training.lessons import Lesson
    from engine.training.run import Run
    from engine.training.trainer import Trainer
    from engine.training.validation import Validation


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    train = verbs.add_parser(
        "train",
        parents=[common],
        help="one run of a recipe; resumes",
        description="One run of a recipe. Killed or stopped, the same command goes on. "
        "Several processes: torchrun --nproc-per-node N -m engine train ...",
    )
    train.add_argument("recipe")
    train.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR")
    train.add_argument("--exclude", type=Path, metavar="FILE", help="names to leave out, one a line or a json list")
    train.add_argument("--init", metavar="FILE_OR_NAME", help="weights to begin with")
    train.add_argument(
        "--text-encoder", metavar="SPEC", default="minilm", help="of the recipe text: minilm, clip, or with a :PLACE"
    )
    train.add_argument("--teacher", metavar="FILE_OR_NAME", help="whose embeddings `distill` learns")
    train.add_argument("--out", type=Path, required=True, metavar="FILE")
    train.add_argument("--seed", type=int, help="of all that is random; the recipe's own")
    train.add_argument("--steps", type=int)
    train.add_argument("--accumulate", type=int, metavar="N", help="micro-batches per process and step")
    train.add_argument(
        "--oversample", type=float, metavar="X", help="masks by people against automatic ones, in our own releases; 10"
    )
    held_out = train.add_mutually_exclusive_group()
    held_out.add_argument("--validate", type=Path, metavar="DIR", help="FILE becomes the best weights on these photos")
    held_out.add_argument("--hold-out", type=share, metavar="SHARE", help="validate on this share of --data, by name")
    train.add_argument("--validate-every", type=int, metavar="STEPS")
    train.add_argument(
        "--examples", type=int, default=0, metavar="N", help="objects shown with each validation, in --json"
    )
    train.add_argument(
        "--on-device", action="store_true", help="all photos in the device's memory; batches and clicks are made there"
    )
    train.add_argument("--compile", action="store_true", help="the image encoder, once for each side of its input")
    train.add_argument("--minutes", type=float, metavar="M", help="stop before they are over; the same command goes on")
    train.add_argument("--json", action="store_true", help="progress as JSON lines")
    train.set_defaults(run=run, checkpoint=None)


def run(options: argparse.Namespace) -> int:
    import torch

    from engine.training.distributed import joined

    began = time.monotonic()
    if options.threads:
        torch.set_num_threads(options.threads)
    run = _run(options)
    stop_before = math.inf if options.minutes is None else began + 60 * options.minutes
    with joined(options.device) as (workers, device):
        trainer = _trainer(run, options, workers, device, stop_before)
        for line in trainer.train():
            if workers.is_first:
                print(json.dumps(line) if options.json else _in_words(line), flush=True)
            if "stopped_at" in line:
                return 1
    return 0


def _run(options: argparse.Namespace) -> "Run":
    """The recipe's, with what the command line changes of it."""
    from engine.recipes import RECIPES

    if options.recipe not in RECIPES:
        raise PromptInvalid(f"no recipe {options.recipe!r}; there are {', '.join(RECIPES)}")
    for name in ("steps", "accumulate", "validate_every"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise PromptInvalid(f"--{name.replace('_', '-')} is 1 or more, not {value}")
    if options.minutes is not None and not options.minutes > 0:
        raise PromptInvalid(f"--minutes is above 0, not {options.minutes:g}")
    if options.oversample is not None and not options.oversample > 0:
        raise PromptInvalid(f"--oversample is above 0, not {options.oversample:g}")
    seed = {} if options.seed is None else {"seed": options.seed}
    run = RECIPES[options.recipe](**seed, steps=options.steps)
    if options.checkpoint is not None and (options.init is not None or not run.starts_live):
        raise PromptInvalid(f"{run.name} would not use --checkpoint: the weights that it begins with are --init")
    if run.goes_on and options.init is None:
        raise PromptInvalid(
            f"{run.name} goes on with weights that have been through another recipe: give them as --init"
        )
    if run.lesson == "embeddings" and (options.validate or options.hold_out):
        raise PromptInvalid(f"{run.name} learns no masks: there is nothing to validate")
    if options.on_device and (run.lesson == "embeddings" or "text_projection" in run.learn or run.starts_live):
        raise PromptInvalid(f"--on-device is for masks from photos, without texts; {run.name} learns otherwise")
    if (run.lesson == "embeddings") != (options.teacher is not None):
        raise PromptInvalid("--teacher and a recipe that learns embeddings (distill) go together")
    return replace(
        run,
        accumulate=options.accumulate or run.accumulate,
        validate_every_steps=options.validate_every or run.validate_every_steps,
    )


def _trainer(run: "Run", options: argparse.Namespace, workers: "Workers", device: str, stop_before: float) -> "Trainer":
    import torch

    from engine.model.build import ARCHITECTURES
    from engine.model.known import OWN_LICENCE
    from engine.training.trainer import Trainer

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise PromptInvalid(f"the device {device!r} cannot be used: {str(error).splitlines()[0]}") from error
    model = _model(run, options)
    if run.starts_live:
        # Not a size of its own: what was trained on one grid goes on with it.
        run = run.at_side(
            model.architecture.prompt.image_side,
            model.architecture.name,
            written_for=ARCHITECTURES[run.architecture].prompt.image_side,
            takes_any_side=model.architecture.encoder.stride is not None,
        )
    given = _hashes_of_weights(run, options)
    if run.lesson == "embeddings":
        lesson, source, validation = *_distillation(run, model, options, device, given), None
    else:
        lesson, source, validation = _masks(run, model, options, device, given)
    trainer = Trainer(
        run,
        model,
        lesson,
        source,
        options.out,
        device=device,
        workers=workers,
        validation=validation,
        draw_threads=0 if options.on_device else 1 if device == "cpu" else 4,
        examples=options.examples,
        given=given,
        stop_before=stop_before,
        licence=licence_of(begin) if (begin := _begins_with(run, options)) else OWN_LICENCE,
    )
    if options.compile:
        model.image_encoder.compile()
    return trainer


def _hashes_of_weights(run: "Run", options: argparse.Namespace) -> dict[str, str]:
    """Of the files that a run begins with."""
    from engine.model.fetch import sha256_of

    files = {"init": _begins_with(run, options), "teacher": options.teacher}
    return {key: sha256_of(find_checkpoint(file)) for key, file in files.items() if file}


def _begins_with(run: "Run", options: argparse.Namespace) -> str | None:
    """A file or a name; None: random weights."""
    return options.init or ((options.checkpoint or DEFAULT_NAME) if run.starts_live else None)


def _model(run: "Run", options: argparse.Namespace) -> "Sam":
    import torch

    from engine.model.build import build_model
    from engine.model.checkpoint import load_checkpoint
    from engine.training.parameters import with_dropping

    torch.manual_seed(run.seed)
    begin = _begins_with(run, options)
    if begin is None:
        model = build_model(run.architecture)
    else:
        model = load_checkpoint(find_checkpoint(begin), None if run.starts_live else run.architecture)
    return with_dropping(model, drop_path=run.drop_path, dropout=run.dropout)


def _masks(
    run: "Run", model: "Sam", options: argparse.Namespace, device: str, given: dict[str, str]
) -> "tuple[Lesson, Source, Validation | None]":
    """Adds the hashes of its data to `given`."""
    from engine.data.on_device import DeviceSource
    from engine.data.origins import HUMAN_WEIGHT
    from engine.data.records import held_out, read_records
    from engine.data.sources import EmbeddingSource, PhotoSource, shelf_for
    from engine.training.lessons import MaskLesson
    from engine.training.naming import prepare_text
    from engine.training.state import data_fingerprint
    from engine.training.validation import validation_on

    weight = HUMAN_WEIGHT if options.oversample is None else options.oversample
    records: list[Record] = [
        record
        for folder in options.data
        for record in read_records(folder, leave_out=_left_out(options), human_weight=weight)
    ]
    shown: list[Record] = []
    if options.validate:
        shown = read_records(options.validate)
    elif options.hold_out:
        records, shown = held_out(records, options.hold_out)
        if not records or not shown:
            raise PromptInvalid(f"--hold-out {options.hold_out:g} of so few photos leaves one side without any")
    given["data"], given["validation"] = data_fingerprint(records), data_fingerprint(shown)
    embedded = "image_encoder" not in run.learn
    if "text_projection" in run.learn:
        embedded = embedded and all(record.embedding for record in records)
        records = prepare_text(model, records, options.text_encoder, device=options.device, seed=run.seed)
    config = model.architecture.prompt
    preprocessing = model.architecture.encoder.preprocessing
    augmentation = run.augmentation(config.image_side, config.image_side // config.grid, preprocessing)
    source: Source
    if embedded:
        source = EmbeddingSource(records, (config.channels, config.grid, config.grid), config.image_side)
    elif options.on_device:
        source = DeviceSource(records, augmentation, device)
    else:
        source = PhotoSource(shelf_for(records, augmentation), augmentation)
    validation = validation_on(shown, model, augmentation, embedded=embedded) if shown else None
    return MaskLesson(run, model, embedded=embedded), source, validation


def _distillation(
    run: "Run", model: "Sam", options: argparse.Namespace, device: str, given: dict[str, str]
) -> "tuple[Lesson, Source]":
    from engine.data.records import read_photos
    from engine.data.sources import UnlabelledSource
    from engine.model.checkpoint import load_checkpoint
    from engine.training.lessons import EmbeddingLesson
    from engine.training.state import data_fingerprint

    teacher = load_checkpoint(find_checkpoint(options.teacher)).to(device)
    lesson = EmbeddingLesson(run, model, teacher)
    side = max(model.architecture.prompt.image_side, lesson.teacher_side)
    records = [record for folder in options.data for record in read_photos(folder, leave_out=_left_out(options))]
    given["data"] = data_fingerprint(records)
    # As the teacher knows photos: what it says of others is worth less.
    preprocessing = teacher.architecture.encoder.preprocessing
    return lesson, UnlabelledSource(records, run.augmentation(side, stride=8, preprocessing=preprocessing))


def _left_out(options: argparse.Namespace) -> frozenset[str]:
    return names(options.exclude) if options.exclude else frozenset()


def _in_words(line: dict[str, Any]) -> str:
    if "done" in line:
        return f"written to {line['done']}"
    if "stopped_at" in line:
        return f"stopped at step {line['stopped_at']}; the same command goes on from there"
    if "miou" in line:
        clicks = ", ".join(f"{value:.3f}" for value in line["miou"].values())
        return (
            f"step {line['step']}/{line['steps']}  mIoU by click {clicks}{'  the best so far' if line['best'] else ''}"
        )
    return f"step {line['step']}/{line['steps']}  loss {line['loss']:.3f}  {line['seconds_left']:.0f} s left"
