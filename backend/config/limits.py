"""Bodies that are read into memory have an end. (Django's own limit does not see what the API's parsers read.)"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse


class BodyLimit:
    """Uploads of files go to disk while they arrive, and are not meant."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not (request.content_type or "").startswith("multipart/"):
            length = request.headers.get("Content-Length", "0")
            most: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            if "chunked" in request.headers.get("Transfer-Encoding", "") or not length.isdigit() or int(length) > most:
                told = {"code": "too_large", "message": f"At most {most >> 20} MB are taken at once.", "extra": {}}
                return JsonResponse(told, status=413)
        return self.get_response(request)
