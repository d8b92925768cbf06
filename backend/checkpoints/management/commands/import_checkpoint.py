"""manage.py import_checkpoint FILE_OR_NAME"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backend.checkpoints.services import checkpoint_import, deployment_make
from backend.common.errors import DomainError
from backend.datasets.lookup import dataset_named


class Command(BaseCommand):
    help = (
        "Bring a model in: a checkpoint of the engine's, an official SAM or MobileSAM file, or a name that was fetched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("checkpoint", metavar="FILE_OR_NAME", help="names: see `python -m engine checkpoints`")
        parser.add_argument("--name", default="", help="for people; default: what the file is called")
        parser.add_argument("--dataset", help="name or id of the only one that may use it; default: all may")
        parser.add_argument("--live", action="store_true", help="make it live in the dataset that --dataset names")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["live"] and not options["dataset"]:
            raise CommandError("--live needs --dataset: where the model is to be live.")
        if len(options["name"]) > 120:
            raise CommandError("A model's name has 120 letters at most.")
        dataset = dataset_named(options["dataset"]) if options["dataset"] else None
        try:
            checkpoint = checkpoint_import(wanted=options["checkpoint"], name=options["name"], dataset=dataset)
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        users = "all datasets" if checkpoint.dataset is None else checkpoint.dataset.name
        self.stdout.write(f"{checkpoint.name} ({checkpoint.architecture}) can be used by {users}.")
        if options["live"]:
            assert dataset is not None
            deployment_make(dataset=dataset, checkpoint=checkpoint, reason="by hand", by=None)
            self.stdout.write(f"It is live in {dataset.name}.")
