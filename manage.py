#!/usr/bin/env python3
"""Django's commands, run by the Python of .venv where there is one."""

import os
import sys

AGAIN = "MASKLOOP_AGAIN"


def run_in_venv() -> None:
    """Does not return where another Python than that of .venv came first."""
    venv = os.path.join(os.path.dirname(os.path.realpath(__file__)), ".venv")
    python = os.path.join(venv, "bin", "python")
    was_tried = os.environ.pop(AGAIN, "")  # a .venv that is not what it seems must not make a circle
    if was_tried or not os.path.exists(python) or os.path.realpath(sys.prefix) == os.path.realpath(venv):
        return
    os.environ[AGAIN] = "1"
    os.execv(python, [python, *sys.argv])


def run() -> None:
    """Raises Sentence where the database does not answer."""
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, connection

    from backend.config.environment import NOWHERE
    from backend.launch.sentence import Sentence

    try:
        execute_from_command_line(sys.argv)
    except OperationalError:
        try:
            connection.ensure_connection()
        except OperationalError as error:
            if connection.settings_dict["HOST"] == NOWHERE:
                sentence = "No database is running here; start Maskloop with `make run`, and give the same VAR here."
            else:
                sentence = f"The database does not answer: {str(error).splitlines()[0]}"
            raise Sentence(sentence) from None
        raise


if __name__ == "__main__":
    run_in_venv()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")
    from backend.launch.sentence import Sentence

    try:
        run()
    except ImportError as error:
        sys.exit(f"{error}. Run `make run` once: it installs what is needed into .venv.")
    except Sentence as problem:
        sys.exit(str(problem))
