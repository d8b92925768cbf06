"""What `make check` asks besides the linters: no migration is missing, and the page's API client is that of this API.

python -m tests.checks [--write] [--texts]
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from backend.launch.install import FRONTEND, node_path
from tests.data import make_vectors

SCHEMA = FRONTEND / "schema.json"
CLIENT = FRONTEND / "src" / "shared" / "api" / "schema.d.ts"


def generated(folder: Path) -> dict[Path, bytes]:
    """The schema and the client as this code makes them."""
    from django.core.management import call_command

    schema, client = folder / "schema.json", folder / "schema.d.ts"
    call_command("spectacular", format="openapi-json", file=str(schema), fail_on_warn=True)
    environment = {**os.environ, "PATH": node_path()}
    command = [
        "npx",
        "--no-install",
        "openapi-typescript",
        str(schema),
        "--default-non-nullable=false",
        "-o",
        str(client),
    ]
    subprocess.run(command, cwd=FRONTEND, env=environment, check=True, capture_output=True)
    return {SCHEMA: schema.read_bytes(), CLIENT: client.read_bytes()}


def migrations_missing() -> bool:
    from django.core.management import call_command

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there is no database here to compare with
        try:
            call_command("makemigrations", check=True, dry_run=True)
        except SystemExit:
            return True
    return False


def wrong_imports(source: Path) -> list[str]:
    """Imports of the page that point the wrong way: app -> features -> shared, and two features meet only in app."""
    found = []
    for file in sorted(source.rglob("*.ts*")):
        own = _part(file.relative_to(source))
        for path in re.findall(r"""(?:from|import)\s*\(?['"]([^'"]+)['"]""", file.read_text(encoding="utf-8")):
            if path.startswith("@/"):
                target = Path(path.removeprefix("@/"))
            elif path.startswith("."):
                target = (file.parent / path).resolve().relative_to(source.resolve())
            else:
                continue
            other = _part(target)
            if own != other and not other.startswith("shared") and not (own == "app" and other.startswith("features/")):
                found.append(f"{file.relative_to(source)} imports {path}: {own} may not use {other}")
    return found


def texts_astray(frontend: Path) -> list[str]:
    """Texts that go around `t`, so that no catalogue can have them; and those that a catalogue lacks, or has for nothing."""
    environment = {**os.environ, "PATH": node_path()}
    said = subprocess.run(
        ["node", "texts.mjs"], cwd=frontend, env=environment, check=True, capture_output=True, text=True
    )
    found = json.loads(said.stdout)
    problems = [f"{one['file']}:{one['line']}: {one['text']!r} does not go through t" for one in found["bare"]]
    catalogues = frontend / "src" / "shared" / "i18n"
    plurals = {re.sub("_(one|other)$", "", key) for key in json.loads((catalogues / "en.json").read_text("utf-8"))}
    wanted = {
        key for text in found["keys"] for key in ([f"{text}_one", f"{text}_other"] if text in plurals else [text])
    }
    for catalogue in sorted(catalogues.glob("*.json")):
        if catalogue.name == "en.json":
            continue
        known = set(json.loads(catalogue.read_text("utf-8")))
        problems += [f"{catalogue.name} lacks {key!r}" for key in sorted(wanted - known)]
        problems += [f"{catalogue.name} has {key!r}, which no page says" for key in sorted(known - wanted)]
    return problems


def _part(path: Path) -> str:
    return "/".join(path.parts[:2]) if path.parts[0] == "features" else path.parts[0]


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")
    os.environ.setdefault("SECRET_KEY", "only for checks")
    os.environ.setdefault("MASKLOOP_LOCAL", "1")
    import django

    django.setup()
    problems = wrong_imports(FRONTEND / "src")
    if "--texts" in sys.argv:
        problems += texts_astray(FRONTEND)
    if make_vectors.main([] if "--write" in sys.argv else ["--check"]):
        problems.append("the shared test vectors are not of this engine: make fix")
    if migrations_missing():
        problems.append("a migration is missing: ./manage.py makemigrations")
    with tempfile.TemporaryDirectory() as folder:
        for path, content in generated(Path(folder)).items():
            if path.exists() and path.read_bytes() == content:
                continue
            if "--write" in sys.argv:
                path.write_bytes(content)
            else:
                problems.append(f"{path.relative_to(FRONTEND.parent)} is not of this API: make fix")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
