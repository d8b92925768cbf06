"""manage.py import_masks DATASET FOLDER_OR_JSON"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backend.annotation.importing import mask_files_import
from backend.common.errors import DomainError
from backend.datasets.lookup import dataset_named


class Command(BaseCommand):
    help = "Import masks of photos that are there: label maps (PNG, value = object), or a COCO json."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", help="name or id")
        parser.add_argument("source", type=Path, help="a folder of PNGs named as the photos are, or a COCO json")
        parser.add_argument(
            "--complete",
            action="store_true",
            help="nothing on these photos is left to label: people are done with them",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            report = mask_files_import(
                dataset=dataset_named(options["dataset"]), source=options["source"], complete=options["complete"]
            )
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        for _what, why in report.refused:
            self.stderr.write(why)
        self.stdout.write(
            f"{report.added} masks imported, {report.already_there} were there already, "
            f"{len(report.refused)} photos refused."
        )
        if report.refused and not report.added and not report.already_there:
            raise CommandError("Nothing was imported.")
