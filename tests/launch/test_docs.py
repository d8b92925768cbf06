"""What the docs say to type is what `make run` starts."""

import ast
import itertools
import re
import sys

from backend.config.environment import PRODUCTION_NEEDS
from backend.launch.places import ROOT
from backend.launch.supervisor import WORKER_QUEUES, commands
from engine.api import DEVICE_VARIABLE
from engine.model.known import FOLDER_VARIABLE

DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "Makefile"]
EVERYTHING = "".join(file.read_text(encoding="utf-8") for file in DOCUMENTS)


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

    named = set(re.findall(r"manage\.py ([a-z_]+)", EVERYTHING))
    assert {"doctor", "prepare", "createsuperuser", "changepassword", "import_images", "import_masks"} <= named
    assert named <= set(get_commands())


#: Set by whoever starts the process: torchrun, `config/asgi.py`, the shell; or pip's own.
NOT_FOR_PEOPLE = {"WORLD_SIZE", "LOCAL_RANK", "DATABASE_POOL", "PATH", "PIP_INDEX_URL"}


def asked_for(*folders: str) -> set[str]:
    """Variables of the environment that the source reads by their name, or by a constant's."""
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    constants = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in nodes
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.targets[0], ast.Name)
    }
    names = set()
    for node in nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.environ.get":
            asked = node.args[0]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            asked = node.slice
        else:
            continue
        if isinstance(asked, ast.Constant):
            names.add(asked.value)
        elif isinstance(asked, ast.Name) and asked.id.isupper():
            names.add(constants[asked.id])
    return names - NOT_FOR_PEOPLE


def test_the_table_of_the_deployment_has_every_variable_that_a_process_reads():
    read = asked_for("backend/config", "backend/common", "engine") | {*PRODUCTION_NEEDS}
    assert {"TEXT_ENCODER", "BROKER_URL", DEVICE_VARIABLE, FOLDER_VARIABLE} <= read
    assert read <= set(re.findall(r"^\| `([A-Z0-9_]+)` \|", DEPLOY, re.MULTILINE))


def test_every_variable_that_anything_reads_is_in_some_document():
    words = set(re.findall(r"[A-Z0-9_]+", EVERYTHING))
    assert asked_for("backend", "engine") - words == set()


def test_the_readme_leads_to_the_deployment():
    assert "(docs/deploy.md)" in README


def test_the_engines_commands_in_the_docs_lack_nothing_that_they_require():
    from engine.cli import parser

    lines = re.findall(r"^(?:\.venv/bin/)?python -m engine (.+)$", EVERYTHING, re.MULTILINE)
    plain = [re.sub(r"\[[^\]]*\]|\s#.*", "", line) for line in lines]
    tried = [words for line in plain for words in itertools.product(*(word.split("|") for word in line.split()))]
    assert {("evaluate", "text"), ("detector", "detect"), ("train", "further")} <= {words[:2] for words in tried}
    for words in tried:
        parser().parse_args(words)


def test_every_command_of_the_engine_is_in_the_readme():
    from engine.cli import parser

    (verbs,) = (action.choices for action in parser()._actions if action.choices)
    assert set(verbs) == set(re.findall(r"^python -m engine ([a-z-]+)", README, re.MULTILINE))
