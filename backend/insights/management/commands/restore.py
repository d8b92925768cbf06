"""manage.py restore FOLDER"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from backend.accounts.models import User
from backend.annotation.models import Mask
from backend.common.errors import DomainError
from backend.datasets.models import Dataset, Image
from backend.insights.backup import backup_restore, queue_forget
from backend.insights.management.asking import add_yes, ask


class Command(BaseCommand):
    help = "Make everything as it was when a backup was made. Stop web, workers and beat before."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="written by ./manage.py backup")
        add_yes(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        ask(
            f"What is in the database {connection.settings_dict['NAME']}", _there(), yes=options["yes"], out=self.stdout
        )
        try:
            files = backup_restore(options["folder"])
        except (DomainError, OSError) as error:
            raise CommandError(str(error)) from error
        call_command("migrate", interactive=False, verbosity=0)  # the backup may be of an older version
        queue_forget()
        self.stdout.write(f"Restored, with {files} files.")


def _there() -> dict[str, int]:
    try:
        return {
            "datasets": Dataset.objects.count(),
            "photos": Image.objects.count(),
            "masks": Mask.objects.count(),
            "people": User.objects.count(),
        }
    except DatabaseError:
        return {"tables": 0}  # an empty one, or what another try left
