"""manage.py import_images DATASET FOLDER_OR_ZIP"""

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backend.common.errors import DomainError
from backend.datasets.archives import read_archive
from backend.datasets.lookup import dataset_named
from backend.datasets.services import images_import

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}


class Command(BaseCommand):
    help = "Import all photos of a folder, or of a zip file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", help="name or id")
        parser.add_argument("source", type=Path, help="a folder, searched to its depth, or a zip file")
        parser.add_argument("--licence", default="")
        parser.add_argument("--attribution", default="")
        parser.add_argument("--group", help="scene that all photos belong to: they go to one split together")

    def handle(self, *_: Any, **options: Any) -> None:
        source: Path = options["source"]
        if not source.exists():
            raise CommandError(f"{source} does not exist.")
        try:
            report = images_import(
                dataset=dataset_named(options["dataset"]),
                files=_files(source),
                by=None,
                licence=options["licence"],
                attribution=options["attribution"],
                source=str(source.name),
                group=options["group"],
            )
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        for path, reason in report.refused:
            self.stderr.write(f"{path}: {reason.message}")
        self.stdout.write(
            f"{len(report.imported)} photos imported, {len(report.already_there)} were there already, "
            f"{len(report.refused)} refused."
        )
        if report.refused and not report.imported and not report.already_there:
            raise CommandError("Nothing was imported.")


def _files(source: Path) -> Iterator[tuple[str, bytes | DomainError]]:
    if source.is_file():
        with open(source, "rb") as file:
            yield from read_archive(file, source.name)
        return
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.suffix.lower() in ENDINGS:
            yield path.name, path.read_bytes()
