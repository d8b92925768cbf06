"""What a web process is made of."""

import json
import subprocess
import sys
import tempfile
import threading

import pytest
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


def test_health_answers_whoever_knows_only_the_address_and_nothing_else_does(client, db, settings):
    settings.ALLOWED_HOSTS = ["maskloop.example.org"]
    for host in ("10.0.0.7:8000", "localhost:8000"):
        assert client.get("/api/health/", headers={"host": host}).status_code == 200
        assert client.get("/api/session/", headers={"host": host}).status_code == 400
        assert client.get("/", headers={"host": host}).status_code == 400


def sent(path, pieces, headers=(), method="POST"):
    """Status and json of the web process's answer to a body in pieces."""
    from backend.config.asgi import application

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers), "query_string": b""}

    async def answered():
        reply = ApplicationCommunicator(application, scope)
        for number, piece in enumerate(pieces, start=1):
            await reply.send_input({"type": "http.request", "body": piece, "more_body": number < len(pieces)})
        start, body = await reply.receive_output(10), await reply.receive_output(10)
        await reply.wait(10)
        return start["status"], json.loads(body["body"])

    return async_to_sync(answered)()


@pytest.mark.parametrize("kind", [b"application/json", b"multipart/form-data; boundary=x", b"text/plain"])
@pytest.mark.parametrize("says_its_length", [True, False])
def test_a_body_that_is_too_large_is_kept_nowhere_whoever_sends_it(settings, monkeypatch, kind, says_its_length):
    settings.BODY_MAX_BYTES, kept = 1000, []

    class Disk(tempfile.SpooledTemporaryFile):
        def write(self, piece):
            kept.append(len(piece))
            return super().write(piece)

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", Disk)
    headers = [(b"content-type", kind)] + [(b"content-length", b"3000")] * says_its_length
    status, told = sent("/api/token/", [b"x" * 500] * 6, headers)
    assert (status, told["code"]) == (413, "too_large")
    assert sum(kept) <= 1000 * (not says_its_length)


def test_a_body_whose_last_piece_is_too_much_is_answered_at_once(settings):
    settings.BODY_MAX_BYTES = 1000
    status, told = sent("/api/token/", [b"x" * 800, b"x" * 800])
    assert (status, told["code"]) == (413, "too_large")


def test_files_are_taken_only_from_who_is_logged_in(settings):
    settings.BODY_MAX_BYTES = 1000
    upload = "/api/datasets/0192d3a0-0000-7000-8000-000000000009/upload/"
    status, told = sent(upload, [b"x" * 2000] * 6)
    assert (status, told["code"]) == (401, "not_logged_in")


def test_no_json_endpoint_takes_files(client, db):
    reply = client.post("/api/token/", {"username": "x", "password": "y"})  # as a form
    assert reply.status_code == 415


def test_the_page_and_every_answer_name_the_build_and_a_new_build_has_another_name(client, db, settings, tmp_path):
    names = []
    for number in range(2):
        settings.FRONTEND_FOLDER = tmp_path / str(number)
        settings.FRONTEND_FOLDER.mkdir()
        (settings.FRONTEND_FOLDER / "index.html").write_text(f"<html><head></head><body>{number}</body></html>")
        name = client.get("/api/health/")["X-Maskloop-Build"]
        assert f'<meta name="maskloop-build" content="{name}">' in client.get("/").content.decode()
        names.append(name)
    assert names[0] != names[1]


def test_a_process_goes_on_with_the_build_that_it_began_with(client, db, settings, tmp_path):
    settings.FRONTEND_FOLDER = tmp_path
    index = tmp_path / "index.html"
    index.write_text("<html><head></head><body>old</body></html>")
    name = client.get("/api/health/")["X-Maskloop-Build"]
    index.write_text("<html><head></head><body>new</body></html>")
    reply = client.get("/")
    assert "old" in reply.content.decode()
    assert reply["X-Maskloop-Build"] == name
    index.unlink()
    assert client.get("/").status_code == 200
