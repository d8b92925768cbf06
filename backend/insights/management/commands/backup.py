"""manage.py backup FOLDER"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from backend.common.errors import DomainError
from backend.insights.backup import backup_make


class Command(BaseCommand):
    help = (
        "Write the database and all stored files into a folder; a folder with an earlier backup is brought up to date."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            copied = backup_make(options["folder"])
        except (DomainError, OSError) as error:
            raise CommandError(str(error)) from error
        if copied is None:
            self.stdout.write(
                f"The database is in {options['folder']}. The files are NOT: they lie in {settings.STORAGE_URL}, which you "
                "back up by its own means, such as versioning or replication; see docs/operating.md."
            )
        else:
            self.stdout.write(f"The backup in {options['folder']} is whole; {copied} files were new.")
        self.stdout.write("It does not hold SECRET_KEY (var/secret_key of `make run`); keep that, too.")
