"""manage.py sweep_storage"""

from typing import Any

from django.core.management.base import BaseCommand

from backend.insights.stored import bytes_sweep


class Command(BaseCommand):
    help = "Remove stored files that nothing names any more: left by a deletion that was killed, or by work that never ended."

    def handle(self, *_: Any, **__: Any) -> None:
        self.stdout.write(f"{bytes_sweep()} files that nothing names any more were removed from storage.")
