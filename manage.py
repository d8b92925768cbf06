#!/usr/bin/env python
"""Django's commands."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")
    from backend.launch.sentence import Sentence

    try:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    except ImportError as error:
        sys.exit(f"{error}. Run `make run` once: it installs what is needed into .venv.")
    except Sentence as problem:
        sys.exit(str(problem))
