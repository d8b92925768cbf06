"""A script's way through the HTTP API, with nothing but the standard library."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

T = TypeVar("T")


class Refused(Exception):
    """The server answered with an error; `code` is the page's code for it."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.code = body.get("code")
        self.body = body


class Client:
    """One person, logged in by token.

    Args:
        address: of the web process, e.g. "http://127.0.0.1:8000".
    """

    def __init__(self, address: str, username: str, password: str) -> None:
        self.address = address
        self.token = ""
        self.token = self.post("/api/token/", {"username": username, "password": password})["token"]

    def get(self, path: str) -> Any:
        return self._send("GET", path)

    def get_bytes(self, path: str) -> bytes:
        return self._raw("GET", path)[1]

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._send("POST", path, json.dumps(body or {}).encode(), "application/json")

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._send("PUT", path, json.dumps(body).encode(), "application/json")

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._send("PATCH", path, json.dumps(body).encode(), "application/json")

    def upload(self, path: str, files: dict[str, bytes]) -> Any:
        """Send files as a browser's form does."""
        boundary = uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
            f"Content-Type: application/octet-stream\r\n\r\n".encode()
            + content
            + b"\r\n"
            for name, content in files.items()
        ]
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()
        return self._send("POST", path, body, f"multipart/form-data; boundary={boundary}")

    def _send(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> Any:
        _, content = self._raw(method, path, body, kind)
        return json.loads(content) if content else None

    def _raw(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> tuple[int, bytes]:
        request = urllib.request.Request(self.address + path, data=body, method=method)
        if kind:
            request.add_header("Content-Type", kind)
        if self.token:
            request.add_header("Authorization", f"Token {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            content = error.read()
            try:
                refusal = json.loads(content)
            except ValueError:
                refusal = {"message": content[:500].decode(errors="replace")}
            raise Refused(error.code, refusal) from None


def wait_until(what: str, look: Callable[[], T | None], timeout_seconds: float = 120) -> T:
    """Look again until there is something to see; fail with `what` was awaited."""
    end = time.monotonic() + timeout_seconds
    while time.monotonic() < end:
        if (seen := look()) is not None:
            return seen
        time.sleep(0.1)
    raise AssertionError(f"waited {timeout_seconds:.0f} s in vain for {what}")
