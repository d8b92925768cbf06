"""manage.py prepare: tables, and at the first start an admin and the demo. `make run` calls it."""

import os
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from backend.accounts.models import User
from backend.insights.services import admin_ensure, demo_ensure


class Command(BaseCommand):
    help = "Migrate; with FIRST_ADMIN_PASSWORD in the environment also make the first admin and the demo dataset."

    def handle(self, *_: Any, **__: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        password = os.environ.get("FIRST_ADMIN_PASSWORD")
        if password:
            admin = admin_ensure(password=password)
            admin.set_password(password)
            admin.save(update_fields=["password"])
            if os.environ.get("DEMO", "1") != "0":
                demo_ensure(owner=User.objects.get(username="admin"))
