"""Many pages that are open, and hear what changes."""

import http.client
import json
import time
import urllib.request
from http.cookiejar import CookieJar

from tests.system.conftest import Running

PAGES = 60  # three times the database connections that the web process may have


def session_of(maskloop: Running) -> str:
    """The cookies of a browser where the admin has logged in."""
    jar = CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    opener.open(f"{maskloop.address}/api/session/")
    token = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
    body = json.dumps({"username": "admin", "password": maskloop.password}).encode()
    headers = {"Content-Type": "application/json", "X-CSRFToken": str(token)}
    opener.open(urllib.request.Request(f"{maskloop.address}/api/session/", body, headers))
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def test_pages_that_only_listen_keep_nobody_waiting(maskloop: Running):
    cookies, admin, pages = session_of(maskloop), maskloop.admin(), []
    try:
        for _ in range(PAGES):
            page = http.client.HTTPConnection("127.0.0.1", maskloop.port, timeout=10)
            page.request("GET", "/api/stream/", headers={"Cookie": cookies})
            reply = page.getresponse()
            assert reply.status == 200
            assert reply.readline() == b"retry: 2000\n"
            pages.append(page)
        time.sleep(1)  # each has asked what it may hear
        began = time.monotonic()
        assert isinstance(admin.get("/api/datasets/"), list | dict)
        assert time.monotonic() - began < 2
    finally:
        for page in pages:
            page.close()
