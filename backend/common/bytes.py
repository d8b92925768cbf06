"""Bytes of storage as an HTTP answer."""

from collections.abc import AsyncIterator
from typing import IO

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified, StreamingHttpResponse

from backend.common.storage import Missing, get_storage

WHOLE_BYTES = 16 << 20  # up to this an answer is read at once; shards of a release are streamed
CHUNK_BYTES = 1 << 20


def bytes_response(
    request: HttpRequest, key: str, media_type: str, *, etag: str, headers: dict[str, str] | None = None
) -> HttpResponse | StreamingHttpResponse:
    """Stored bytes, which never change: kept by the browser for a year, asked about with an ETag.

    Raises:
        Http404: they are not there.
    """
    kept = {"ETag": f'"{etag}"', "Cache-Control": "private, max-age=31536000, immutable", **(headers or {})}
    if request.headers.get("If-None-Match") == kept["ETag"]:
        return HttpResponseNotModified(headers=kept)
    try:
        file = get_storage().open(key)
    except Missing:
        raise Http404 from None
    size = get_storage().size(key)
    if size is not None and size <= WHOLE_BYTES:
        with file:
            return HttpResponse(file.read(), content_type=media_type, headers=kept)
    if size is not None:
        kept["Content-Length"] = str(size)
    return StreamingHttpResponse(_chunks(file), content_type=media_type, headers=kept)


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    """Read away from the event loop, and never more than a chunk ahead of the one who asks."""
    try:
        while chunk := await sync_to_async(file.read, thread_sensitive=False)(CHUNK_BYTES):
            yield chunk
    finally:
        await sync_to_async(file.close, thread_sensitive=False)()
