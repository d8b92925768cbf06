"""manage.py sweep_storage"""

from typing import Any

from django.core.management.base import BaseCommand

from backend.insights.management.asking import sweep


class Command(BaseCommand):
    help = "Remove stored files that nothing names any more: left by a deletion that was killed, or by work that never ended."

    def handle(self, *_: Any, **__: Any) -> None:
        sweep(self.stdout)
