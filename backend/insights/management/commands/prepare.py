"""manage.py prepare: tables, the model that comes with the source, and at the first start an admin and the demo.

`make run` calls it; so does whoever deploys, after each upgrade.
"""

import os
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from backend.accounts.models import User
from backend.checkpoints.services import checkpoint_default
from backend.insights.services import admin_ensure, demo_ensure


class Command(BaseCommand):
    help = "Migrate, register the default model; with FIRST_ADMIN_PASSWORD set also make the first admin and the demo."

    def handle(self, *_: Any, **__: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        checkpoint_default()  # new weights do not go live by themselves: admins see them beside the old ones
        password = os.environ.get("FIRST_ADMIN_PASSWORD")
        if password:
            admin = admin_ensure(password=password)
            admin.set_password(password)
            admin.save(update_fields=["password"])
            if os.environ.get("DEMO", "1") != "0":
                demo_ensure(owner=User.objects.get(username="admin"))
