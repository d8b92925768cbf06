"""A person's way through the HTTP API. Standard library only.

A server that is restarted in the middle, or whose database is, is waited for and asked again. Masks and verdicts carry a UUID
of ours, so twice is as once; other requests the server answers as the first time or refuses in words that the caller knows.
A server that meets a fault of its own is not asked again: that is to be seen.
"""

import http.client
import json
import time
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

PATIENCE_SECONDS = 120.0  # for a server that does not answer
_BUSY = (429, 502, 503, 504)


class Refused(Exception):
    """The server's answer is an error; `code` is the page's word for it."""

    def __init__(self, status: int, method: str, path: str, body: dict[str, Any]) -> None:
        super().__init__(f"{method} {path}: {status} {body.get('message') or body}")
        self.status, self.body = status, body
        self.code = body.get("code")


class ServerGone(Exception):
    """It has not answered for `PATIENCE_SECONDS`."""


class Client:
    """One person's connection, logged in by token.

    Args:
        address: of the web process, e.g. http://127.0.0.1:8000.
    """

    def __init__(self, address: str, username: str, password: str) -> None:
        self.address = address
        self.username = username
        self._parts = urlsplit(address)
        self._connection: http.client.HTTPConnection | None = None
        self._token = ""
        self.asked_again = 0
        self._token = self.post("/api/token/", {"username": username, "password": password})["token"]

    def get(self, path: str, **query: Any) -> Any:
        return self._json("GET", path + (f"?{urlencode(query)}" if query else ""))

    def get_bytes(self, path: str) -> tuple[int, bytes]:
        """The status, which may be 202 for what is not ready, and the body."""
        status, content, _ = self._send("GET", path)
        return status, content

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._json("POST", path, body or {})

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._json("PUT", path, body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._json("PATCH", path, body)

    def delete(self, path: str) -> None:
        self._json("DELETE", path)

    def upload(self, path: str, files: dict[str, bytes]) -> Any:
        """As a browser's form does."""
        boundary = uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
            f"Content-Type: application/octet-stream\r\n\r\n".encode()
            + content
            + b"\r\n"
            for name, content in files.items()
        ]
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()
        _, content, _ = self._send("POST", path, body, f"multipart/form-data; boundary={boundary}")
        return json.loads(content)

    def _json(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        encoded = None if body is None else json.dumps(body).encode()
        _, content, _ = self._send(method, path, encoded, "application/json")
        return json.loads(content) if content else None

    def _send(
        self, method: str, path: str, body: bytes | None = None, kind: str = "", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """
        Raises:
            Refused, ServerGone.
        """
        sent = dict(headers or {})
        if body is not None:
            sent["Content-Type"] = kind
        if self._token:
            sent["Authorization"] = f"Token {self._token}"
        end, pause = time.monotonic() + PATIENCE_SECONDS, 0.1
        while True:
            try:
                status, content, answered = self._once(method, path, body, sent)
                problem = f"{status} {content[:200].decode(errors='replace')}"
            except (OSError, http.client.HTTPException) as error:
                self.close()
                status, content, answered, problem = 0, b"", http.client.HTTPMessage(), repr(error)
            if 0 < status < 400:
                return status, content, answered
            if status and status not in _BUSY:
                raise Refused(status, method, path, _told(content))
            if time.monotonic() > end:
                raise ServerGone(f"{method} {path} is not answered: {problem}")
            self.asked_again += status != 429
            time.sleep(pause if status != 429 else 3.0)
            pause = min(2 * pause, 3.0)

    def _once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        if self._connection is None:
            port, host = self._parts.port, self._parts.hostname or "127.0.0.1"
            kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
            self._connection = kind(host, port, timeout=90)
        self._connection.request(method, path, body, headers)
        reply = self._connection.getresponse()
        return reply.status, reply.read(), reply.headers

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _told(content: bytes) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except ValueError:
        return {"message": content[:300].decode(errors="replace")}
    return told if isinstance(told, dict) else {"message": str(told)}


class Guest(Client):
    """Somebody with an invitation and no account yet: a browser's way in, cookies and all."""

    def __init__(self, address: str) -> None:
        self.address, self.username, self._token, self.asked_again = address, "", "", 0
        self._parts, self._connection = urlsplit(address), None

    def accept(self, *, token: str, username: str, password: str) -> None:
        _, _, headers = self._send("GET", "/api/session/")
        cookie = next(
            part for line in headers.get_all("Set-Cookie") or [] if "csrftoken" in (part := line.split(";")[0])
        )
        body = json.dumps({"token": token, "username": username, "password": password}).encode()
        sent = {"Cookie": cookie, "X-CSRFToken": cookie.partition("=")[2], "Referer": self.address}
        try:
            self._send("POST", "/api/invited/accept/", body, "application/json", sent)
        except Refused as refusal:
            # Of two deliveries of one request the first one joined.
            if refusal.code not in ("username_taken", "invitation_invalid") or not self.asked_again:
                raise
        finally:
            self.close()
