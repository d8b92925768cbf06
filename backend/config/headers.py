"""Headers that every answer carries, and the one that every request is asked for."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware

from backend.config.build import served_build

HEALTH = "/api/health/"
#: `require-corp` with one origin is what gives the page threads in WebAssembly.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    # Styles may be inline because the component library sets them on elements; scripts may not.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; font-src 'self' data:; "
        "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


class IsolationHeaders:
    """Outermost, so that files of the build get them too."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        served_build()  # read now, as WhiteNoise reads the list of its files

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if name := served_build().name:
            response.headers["X-Maskloop-Build"] = name
        return response


class CommonButHealth(CommonMiddleware):
    """Whoever asks whether the process is well may know its address only: a load balancer, or `curl localhost:8000`. In all
    other requests the host must be ours."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        return None if request.path == HEALTH else super().process_request(request)
