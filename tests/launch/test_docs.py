"""What the docs say to type is what `make run` starts."""

import re
import sys

from backend.launch.places import ROOT
from backend.launch.supervisor import WORKER_QUEUES, commands

DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def wanted() -> set[str]:
    assert all(command[0] == sys.executable for command in commands(8000).values())
    return {" ".join(command[1:]) for command in commands(8000).values()}


def test_the_commands_of_a_deployment_are_those_of_make_run():
    assert set(re.findall(r"^\.venv/bin/python (-m (?:uvicorn|celery) .+)$", DEPLOY, re.MULTILINE)) == wanted()


def test_the_units_start_the_same_commands():
    started = set()
    for unit in re.findall(r"^ExecStart=/srv/maskloop/app/\.venv/bin/python (.+)$", DEPLOY, re.MULTILINE):
        for queue in WORKER_QUEUES:
            started.add(unit.replace("%%", "\0").replace("%i", queue).replace("\0", "%"))
    assert started == wanted()


def test_every_command_of_manage_py_that_the_docs_name_exists():
    from django.core.management import get_commands

    named = set(re.findall(r"manage\.py ([a-z_]+)", README + DEPLOY))
    assert {"doctor", "prepare", "createsuperuser", "changepassword", "import_images", "import_masks"} <= named
    assert named <= set(get_commands())


def test_the_readme_leads_to_the_deployment():
    assert "(docs/deploy.md)" in README


def test_the_engines_commands_in_the_readme_lack_nothing_that_they_require():
    from engine.cli import parser

    lines = re.findall(r"^python -m engine (.+)$", README, re.MULTILINE)
    plain = [re.sub(r"\[[^\]]*\]|\s#.*", "", line) for line in lines]
    tried = [line.split() for line in plain if "|" not in line]
    assert "pack" in {words[0] for words in tried}
    for words in tried:
        parser().parse_args(words)
