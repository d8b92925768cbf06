"""Which build of the page is on disk: a page that is open notices by it that there is a newer one."""

import hashlib
from functools import lru_cache

from django.conf import settings


def build_name() -> str:
    """Changes with the page's build; "" while there is none."""
    index = settings.FRONTEND_FOLDER / "index.html"
    try:
        changed_at = index.stat().st_mtime_ns
    except OSError:
        return ""
    return _name(str(index), changed_at)


@lru_cache(maxsize=2)
def _name(index: str, _changed_at: int) -> str:
    # It names all other files of the build, and their names carry hashes of what is in them.
    with open(index, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:12]
