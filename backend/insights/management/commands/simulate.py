"""manage.py simulate: the whole engine, run by simulated people."""

import json
import os
import signal
import sys
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.insights.simulation import Habits, Server, Settings, own_server, run
from backend.insights.simulation.client import Refused, ServerGone
from backend.launch.sentence import Sentence


class Command(BaseCommand):
    help = (
        "Run the whole engine with simulated annotators, who know the truth from a label-map folder (images/ID.jpg, "
        "masks/ID.png: the value of a pixel is its object's number, 0 is background). They draw by clicks, verify, correct and "
        "audit through the HTTP API; the model retrains on what they make. Writes report.json, report.md and report.html."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        usual = {one.name: one.default for one in fields(Settings)}
        add = parser.add_argument
        add("--data", type=Path, required=True, metavar="FOLDER", help="a label-map folder")
        add("--out", type=Path, required=True, metavar="FOLDER", help="where the report goes")
        add("--annotators", type=int, default=usual["annotators"])
        add("--images", type=int, default=usual["images"], help="photos, drawn by the seed")
        add("--most-objects", type=int, help="leave photos with more objects aside")
        add("--objects-per-image", type=int, help="on training photos people stop after so many")
        add(
            "--seed",
            type=int,
            default=0,
            help="of the people, and of the lots of a server that is started; the audit's sample goes by new ids",
        )
        add("--retrain-every", type=int, default=usual["retrain_every"], help="new masks")
        add("--rounds", type=int, default=usual["assisted_rounds"], help="retrainings in the assisted-manual stage")
        add("--semi-rounds", type=int, default=usual["semi_rounds"], help="retrainings in the semi-automatic stage")
        add("--recipe", default=usual["recipe"], help="of the retrainings")
        add("--test-images", type=int, default=usual["test_images"], help="complete test photos that the gate wants")
        add("--left-for-model", type=float, default=usual["left_for_model"], help="share of the training photos")
        add("--precision", type=float, default=usual["wanted_precision"], help="of automatic masks")
        add(
            "--proposal-precision",
            type=float,
            default=usual["proposal_precision"],
            help="share of the proposals that are to be taken as they are",
        )
        add("--everything", type=json.loads, default={}, metavar="JSON", help="settings of everything-mode")
        add("--audit-share", type=float, default=usual["audit_share"], help="of the automatic masks")
        add("--trial", type=int, default=usual["trial"], help="objects drawn for comparison in a semi-automatic round")
        add("--holdout", type=int, help="photos of the holdout split to measure on; all of them without this")
        add("--known-share", type=float, default=usual["known_share"])
        add("--verified-twice-share", type=float, default=usual["verified_twice_share"])
        habits = parser.add_argument_group("habits", "how people click and err; seconds are simulated")
        for one in fields(Habits):
            if one.name != "objects_per_image":
                kind = int if one.name == "most_clicks" else float
                habits.add_argument(f"--{one.name.replace('_', '-')}", type=kind, default=one.default)
        server = parser.add_argument_group("server", "without --server one is started, and stopped in the end")
        server.add_argument("--server", metavar="URL", help="a Maskloop that runs; its lots are its own: see LOTS_SEED")
        server.add_argument("--user", default="admin")
        server.add_argument("--password-env", default="MASKLOOP_PASSWORD", help="the variable with the password")
        server.add_argument("--var", type=Path, help="folder of the one that is started, kept afterwards")

    def handle(self, *_: Any, **options: Any) -> None:
        same = {one.name for one in fields(Settings)} - {"habits", "name"}
        given = {name: options[name] for name in same if name in options}
        habits = Habits(**{one.name: options[one.name] for one in fields(Habits)})
        settings = Settings(
            **given, assisted_rounds=options["rounds"], wanted_precision=options["precision"], habits=habits
        )
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped
        try:
            with self._server(options) as server:
                report = run(settings, server, self._say)
        except (Sentence, Refused, ServerGone) as problem:
            raise CommandError(str(problem)) from None
        files = report.write(settings.out)
        self.stdout.write((settings.out / "report.md").read_text())
        self.stdout.write(f"The pictures: {files[-1]}")

    def _say(self, words: str) -> None:
        self.stdout.write(words)
        self.stdout.flush()  # a log is read while it grows

    def _server(self, options: dict[str, Any]) -> Any:
        if not options["server"]:
            return own_server(options["var"], seed=options["seed"])
        password = os.environ.get(options["password_env"])
        if not password:
            raise CommandError(
                f"The password of {options['user']} is read from {options['password_env']}: it is empty."
            )
        return nullcontext(Server(options["server"].rstrip("/"), options["user"], password))
