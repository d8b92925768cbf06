"""The build of the page that this process serves: a page that is open notices by its name that there is a newer one."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Build:
    name: str  # "" while there is none
    index: str  # index.html


def served_build() -> Build:
    """The one that was there when this process began.

    WhiteNoise's table of files dates from then, too: a newer index.html would ask for files that are not in it.
    """
    return _read(settings.FRONTEND_FOLDER / "index.html")


@lru_cache
def _read(index: Path) -> Build:
    try:
        content = index.read_bytes()
    except OSError:
        return Build("", "")
    # It names all other files of the build, and their names carry hashes of what is in them.
    return Build(hashlib.sha256(content).hexdigest()[:12], content.decode())
