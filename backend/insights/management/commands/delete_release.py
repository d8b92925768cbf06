"""manage.py delete_release DATASET NUMBER"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backend.common.errors import DomainError
from backend.datasets.lookup import dataset_named
from backend.insights.deleting import release_delete, release_losses
from backend.insights.management.asking import add_yes, ask, sweep
from backend.releases.models import Release


class Command(BaseCommand):
    help = "Delete a release with its files. Its masks stay where they are."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", help="name or id")
        parser.add_argument("number", type=int)
        add_yes(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        dataset = dataset_named(options["dataset"])
        releases = Release.objects.filter(dataset=dataset).select_related("frozen_set")
        release = releases.filter(number=options["number"]).first()
        if release is None:
            numbers = ", ".join(map(str, releases.order_by("number").values_list("number", flat=True))) or "none"
            raise CommandError(f"{dataset.name} has no release {options['number']}; there are: {numbers}.")
        what = f"Release {release.number} of {dataset.name}"
        ask(what, release_losses(release), yes=options["yes"], out=self.stdout)
        try:
            release_delete(release=release)
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        sweep(self.stdout)
