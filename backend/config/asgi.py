"""The web process: `uvicorn backend.config.asgi:application`."""

import os
import warnings
from typing import Any

import django
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from backend.config.limits import BodyLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")
os.environ.setdefault("DATABASE_POOL", "1")


class OneThreadHandler(ASGIHandler):
    """All middleware and the view of a request in one thread.

    Django's own handler runs each of its middlewares as a coroutine, whose two halves it sends to the thread and back, about
    twenty changes of thread for a request. The event stream is a coroutine all the same: what it returns is read by the loop.

    The database connection goes back to the pool before the answer goes out: otherwise a slow download, and every page that
    listens to the event stream, would hold one, and twenty pages all there are.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)
        chain: Any = self._middleware_chain  # type: ignore[has-type]

        def answered(request: HttpRequest) -> HttpResponseBase:
            try:
                response: HttpResponseBase = chain(request)
                return response
            finally:
                connections.close_all()

        self._middleware_chain = sync_to_async(answered, thread_sensitive=True)


django.setup(set_prefix=False)
application = BodyLimit(OneThreadHandler())

# WhiteNoise hands the build's files over as they would go to WSGI; Django reads each whole, and warns of it every time.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators")
