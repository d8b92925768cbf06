"""What a web process is made of."""

import os
import subprocess
import sys
import threading

from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator

CODE = """
import sys, os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")
from backend.config.asgi import application
from django.urls import get_resolver
get_resolver().url_patterns
from django.test import Client
assert Client().get("/api/health/").status_code == 200
assert Client().get("/api/schema/?format=json").status_code == 200
loaded = sorted(name for name in sys.modules if name.split(".")[0] in ("torch", "onnx", "onnxruntime", "skimage"))
print(loaded)
"""


def test_the_web_process_loads_no_torch():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


class Notes:
    """A middleware as Django's own are: it can be called by both kinds of handler."""

    sync_capable = async_capable = True
    threads: list[int] = []

    def __new__(cls, get_response):
        from asgiref.sync import iscoroutinefunction, markcoroutinefunction

        def noting(request):
            cls.threads.append(threading.get_ident())
            return get_response(request)

        async def noting_in_the_loop(request):
            cls.threads.append(threading.get_ident())
            return await get_response(request)

        is_async = iscoroutinefunction(get_response)
        return markcoroutinefunction(noting_in_the_loop) if is_async else noting


def test_middleware_and_view_of_a_request_run_in_one_thread_beside_the_loop(settings):
    from backend.config.asgi import OneThreadHandler

    settings.MIDDLEWARE = [f"{__name__}.Notes"] * 3
    scope = {"type": "http", "method": "GET", "path": "/nowhere.html", "headers": [], "query_string": b""}

    async def answered():
        reply = ApplicationCommunicator(OneThreadHandler(), scope)
        await reply.send_input({"type": "http.request", "body": b""})
        start = await reply.receive_output(5)
        await reply.wait(5)
        return start["status"], threading.get_ident()

    Notes.threads.clear()
    status, loop_thread = async_to_sync(answered)()
    assert status in (200, 404, 503)  # with a built page, and without
    assert len(Notes.threads) == 3
    assert len(set(Notes.threads)) == 1
    assert loop_thread not in Notes.threads


def test_every_answer_carries_the_isolation_headers(client, db):
    reply = client.get("/api/health/")
    assert reply["Cross-Origin-Opener-Policy"] == "same-origin"
    assert reply["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "default-src 'self'" in reply["Content-Security-Policy"]
    assert "unsafe-eval'" not in reply["Content-Security-Policy"].replace("wasm-unsafe-eval'", "")


def test_a_missing_page_under_api_has_the_one_shape_of_errors(admin, as_user, dataset):
    reply = as_user(admin).get("/api/datasets/0192d3a0-0000-7000-8000-000000000009/")
    assert reply.json() == {
        "code": "not_found",
        "message": "There is nothing here, or it is not for you to see.",
        "extra": {},
    }


def test_health_needs_no_login_and_gives_no_details(client, db):
    assert client.get("/api/health/").json() == {"web": True, "database": True, "redis": True}


def test_a_body_that_would_fill_the_memory_is_refused_unread(client, db, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = {"username": "x" * 2000, "password": "y"}
    reply = client.post("/api/token/", body, content_type="application/json")
    assert (reply.status_code, reply.json()["code"]) == (413, "too_large")


def test_the_page_and_every_answer_name_the_build_and_a_new_build_has_another_name(client, db, settings, tmp_path):
    settings.FRONTEND_FOLDER = tmp_path
    names = []
    for number in range(2):
        (tmp_path / "index.html").write_text(f"<html><head></head><body>{number}</body></html>")
        os.utime(tmp_path / "index.html", ns=(number, number))
        name = client.get("/api/health/")["X-Maskloop-Build"]
        assert f'<meta name="maskloop-build" content="{name}">' in client.get("/").content.decode()
        names.append(name)
    assert names[0] != names[1]
