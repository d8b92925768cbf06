"""manage.py sweep_storage"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backend.common.errors import DomainError
from backend.insights.management.asking import SWEPT
from backend.insights.stored import bytes_sweep


class Command(BaseCommand):
    help = "Remove stored files that nothing names any more: left by a deletion that was killed, or by work that never ended."

    def handle(self, *_: Any, **__: Any) -> None:
        try:
            self.stdout.write(SWEPT.format(bytes_sweep()))
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
