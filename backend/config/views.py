"""The page itself, and whether the servers answer."""

from collections.abc import Callable

import redis
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from backend.config.build import served_build

NOT_BUILT = "<!doctype html><title>Maskloop</title><p>The page is not built yet: run <code>make run</code>."


def page(_: HttpRequest) -> HttpResponse:
    """index.html of the build; its assets carry hashes in their names and may be kept, it may not."""
    build = served_build()
    if not build.name:
        return HttpResponse(NOT_BUILT, status=503)
    # The page compares it with what the API's answers say.
    marked = build.index.replace("</head>", f'<meta name="maskloop-build" content="{build.name}"></head>', 1)
    return HttpResponse(marked, headers={"Cache-Control": "no-cache"})


def health(_: HttpRequest) -> JsonResponse:
    """200 when web, database and Redis answer, 503 when one does not. No login, and no details."""
    answers = {"web": True, "database": _answers(connection.ensure_connection), "redis": _answers(_ping)}
    return JsonResponse(answers, status=200 if all(answers.values()) else 503)


def _ping() -> None:
    redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2).ping()


def _answers(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except Exception:
        return False
    return True
