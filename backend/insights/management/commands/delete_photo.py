"""manage.py delete_photo DATASET PHOTO"""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from backend.common.errors import DomainError
from backend.datasets.lookup import dataset_named
from backend.datasets.models import Dataset, Image
from backend.insights.deleting import photo_delete, photo_losses, releases_with
from backend.insights.management.asking import add_yes, ask, sweep


class Command(BaseCommand):
    help = "Delete a photo with its masks. Releases that were written with it, and models that learnt from it, stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", help="name or id")
        parser.add_argument("photo", help="file name or id")
        add_yes(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        image = _photo_named(dataset_named(options["dataset"]), options["photo"])
        if numbers := releases_with(image):
            named = ", ".join(map(str, numbers))
            self.stdout.write(f"It stays in the files of these releases, until you delete them, too: {named}.")
        ask(f"The photo {image.file_name}", photo_losses(image), yes=options["yes"], out=self.stdout)
        try:
            photo_delete(image=image)
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        sweep(self.stdout)


def _photo_named(dataset: Dataset, text: str) -> Image:
    """Raises CommandError: there is none, or more than one."""
    photos = Image.objects.filter(dataset=dataset)
    try:
        found = list(photos.filter(id=UUID(text)))
    except ValueError:
        found = list(photos.filter(file_name=text)[:10])
    if len(found) != 1:
        ids = ", ".join(str(image.id) for image in found)
        raise CommandError(f"{len(found)} photos of {dataset.name} are called {text}" + (f": {ids}." if ids else "."))
    return found[0]
