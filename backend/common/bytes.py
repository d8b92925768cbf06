"""Bytes of storage as an HTTP answer."""


from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseNotModified

from backend.common.storage import Missing, get_storage


def bytes_response(
    request: HttpRequest, key: str, media_type: str, *, etag: str, headers: dict[str, str] | None = None
) -> HttpResponse | FileResponse:
    """Stored bytes, which never change: kept by the browser for a year, asked about with an ETag."""
    kept = {"ETag": f'"{etag}"', "Cache-Control": "private, max-age=31536000, immutable", **(headers or {})}
    if request.headers.get("If-None-Match") == kept["ETag"]:
        return HttpResponseNotModified(headers=kept)
    try:
        file = get_storage().open(key)
    except Missing:
        raise Http404 from None
    size = get_storage().size(key)
    answer = FileResponse(file, content_type=media_type, headers=kept)
    if size is not None:
        answer["Content-Length"] = str(size)
    return answer
