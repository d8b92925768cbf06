"""manage.py import_masks DATASET FOLDER_OR_JSON"""

from argparse import ArgumentParser
from pathlib import Path, PurePath
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backend.annotation.importing import read_masks
from backend.annotation.services import masks_import
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
        dataset = dataset_named(options["dataset"])
        photos = {PurePath(image.file_name).stem: image for image in dataset.images.all()}
        added = known = refused = 0
        try:
            for found in read_masks(options["source"]):
                if isinstance(found, DomainError):
                    refused += 1
                    self.stderr.write(found.message)
                    continue
                name, masks = found
                if name not in photos:
                    refused += 1
                    self.stderr.write(f"{name}: there is no such photo in the dataset.")
                    continue
                try:
                    new = masks_import(image=photos[name], masks=masks, complete=options["complete"])
                except DomainError as refusal:
                    refused += 1
                    self.stderr.write(refusal.message)
                    continue
                added += new
                known += len(masks) - new
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"{added} masks imported, {known} were there already, {refused} photos refused.")
        if refused and not added and not known:
            raise CommandError("Nothing was imported.")
