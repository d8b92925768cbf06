"""What the commands that delete have in common."""

from argparse import ArgumentParser

from django.core.management.base import CommandError, OutputWrapper

from backend.common.errors import DomainError
from backend.insights.stored import bytes_sweep

SWEPT = "{} files that nothing names any more were removed from storage."


def add_yes(parser: ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")


def ask(what: str, losses: dict[str, int], *, yes: bool, out: OutputWrapper) -> None:
    """Say what will be lost, and go on only where somebody says so.

    Raises:
        CommandError: nobody did.
    """
    listed = ", ".join(f"{count} {name}" for name, count in losses.items())
    confirm(f"{what} will be deleted: {listed}. It cannot be brought back.", yes=yes, out=out)


def confirm(said: str, *, yes: bool, out: OutputWrapper) -> None:
    """
    Raises:
        CommandError: nobody said yes.
    """
    out.write(said)
    if yes:
        return
    try:
        answer = input("Type yes to go on: ")
    except EOFError:
        answer = ""
    if answer.strip() != "yes":
        raise CommandError("Nothing was deleted.")


def sweep(out: OutputWrapper) -> None:
    """After a deletion, which is done whatever comes of this."""
    try:
        removed = bytes_sweep()
    except DomainError as refusal:
        out.write(f"It is deleted; its files are still there. {refusal.message}")
        return
    out.write(SWEPT.format(removed))
