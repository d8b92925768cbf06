"""manage.py sweep_storage"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backend.common.errors import DomainError
from backend.insights.management.asking import SWEPT, add_yes, confirm
from backend.insights.stored import bytes_sweep, unnamed_count


class Command(BaseCommand):
    help = "Remove stored files that nothing names any more: left by a deletion that was killed, or by work that never ended."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_yes(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            files = unnamed_count()
            if not files:
                self.stdout.write("Something names each stored file. There is nothing to remove.")
                return
            said = f"{files} files that nothing names any more will be removed. They cannot be brought back."
            confirm(said, yes=options["yes"], out=self.stdout)
            self.stdout.write(SWEPT.format(bytes_sweep()))
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
