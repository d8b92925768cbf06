"""manage.py delete_dataset NAME_OR_ID"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backend.common.errors import DomainError
from backend.datasets.lookup import dataset_named
from backend.insights.deleting import dataset_delete, dataset_losses
from backend.insights.management.asking import add_yes, ask, sweep


class Command(BaseCommand):
    help = "Delete a dataset with its photos, masks, models and releases, and their bytes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", metavar="NAME_OR_ID")
        add_yes(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        dataset = dataset_named(options["dataset"])
        ask(f"The dataset {dataset.name}", dataset_losses(dataset), yes=options["yes"], out=self.stdout)
        try:
            dataset_delete(dataset=dataset)
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        sweep(self.stdout)
