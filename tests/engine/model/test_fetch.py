"""Fetching a checkpoint, from a server of our own: whole or not at all, and continued where it broke off."""

import hashlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from engine.api import find_checkpoint
from engine.cli import checkpoints, main
from engine.errors import CheckpointInvalid, FetchFailed
from engine.model.fetch import fetch
from engine.model.known import KNOWN, KnownCheckpoint

CONTENT = bytes(range(256)) * 12_000  # 3 MB: several blocks


class Server(ThreadingHTTPServer):
    """Has one file, answers ranges, and can be told to misbehave."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.ranges = True
        self.cut_after: list[int] = []  # bytes, for the next answers
        self.asked: list[str | None] = []  # the Range of each request

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/weights.pth"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        content, start = self.server.content, 0
        if self.path != "/weights.pth":
            self.send_error(404)
            return
        if wanted and self.server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + self.server.cut_after.pop(0) if self.server.cut_after else None
        self.wfile.write(content[start:end])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def known(server) -> KnownCheckpoint:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    return KnownCheckpoint(name="weights", file="weights.pth", url=server.url, size=len(CONTENT), sha256=sha256)


def test_a_file_is_fetched_once_and_progress_is_told(known, server, tmp_path):
    told = []
    path = fetch(known, tmp_path / "new" / "folder", report=lambda *progress: told.append(progress))
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert len(told) > 2
    fetch(known, path.parent)
    assert len(server.asked) == 1


def test_a_connection_that_breaks_is_taken_up_where_it_broke(known, server, tmp_path):
    server.cut_after = [1_000_000, 500_000]
    assert fetch(known, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000000-", "bytes=1500000-"]


def test_a_fetch_that_was_given_up_is_continued_by_the_next_one(known, server, tmp_path):
    server.cut_after = [1_000_000, 0]
    with pytest.raises(FetchFailed, match="1000000 bytes are there already and are kept"):
        fetch(known, tmp_path)
    assert not (tmp_path / "weights.pth").exists()
    assert fetch(known, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=1000000-"
    assert [path.name for path in tmp_path.iterdir()] == ["weights.pth"]


def test_a_server_without_ranges_begins_anew(known, server, tmp_path):
    server.ranges, server.cut_after = False, [1_000_000]
    assert fetch(known, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("there", [CONTENT, CONTENT + b"of another file"], ids=["all of it", "too much"])
def test_what_is_there_without_its_name_is_judged_by_its_hash(known, tmp_path, there):
    (tmp_path / "weights.pth.part").write_bytes(there)
    assert fetch(known, tmp_path).read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["weights.pth"]


def test_other_content_than_published_is_removed_and_both_hashes_are_said(known, server, tmp_path):
    server.content = b"a page that asks for a password"
    with pytest.raises(FetchFailed) as refused:
        fetch(known, tmp_path)
    assert known.sha256 in str(refused.value)
    assert hashlib.sha256(server.content).hexdigest() in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_replaced_only_by_a_whole_one(known, server, tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"damaged")
    server.content = b"worse"
    with pytest.raises(FetchFailed):
        fetch(known, tmp_path)
    assert (tmp_path / "weights.pth").read_bytes() == b"damaged"
    server.content = CONTENT
    assert fetch(known, tmp_path).read_bytes() == CONTENT


def test_two_at_a_time_do_not_write_into_each_others_file(known, tmp_path):
    def second(*_):
        with pytest.raises(FetchFailed, match="another process is fetching"):
            fetch(known, tmp_path)

    assert fetch(known, tmp_path, report=second).read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_named(known, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FetchFailed, match=r"weights\.pth\.part cannot be written"):
        fetch(known, tmp_path / "file")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:{port}/nothing", "answers 404"),
        ("http://127.0.0.1:9/weights.pth", "cannot be reached (Connection refused)"),
    ],
    ids=["not there", "no server"],
)
def test_without_server_or_file_the_command_says_so_in_one_sentence_and_fails(server, tmp_path, capsys, url, said):
    address = url.format(port=server.server_port)
    assert main(["checkpoints", "--fetch", "sam_vit_b", "--into", str(tmp_path), "--url", address]) == 1
    sentence = capsys.readouterr().err
    assert sentence.startswith(f"engine: {address} {said}")
    assert sentence.count("\n") == 1


def test_the_command_refuses_what_is_not_the_published_file(server, tmp_path, capsys):
    assert main(["checkpoints", "--fetch", "sam_vit_b", "--into", str(tmp_path), "--url", server.url]) == 1
    assert "is not sam_vit_b_01ec64.pth" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_fetched_checkpoint_is_found_by_its_name(known, server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MASKLOOP_CHECKPOINTS", str(tmp_path))
    monkeypatch.setitem(KNOWN, "sam_vit_b", replace(KNOWN["sam_vit_b"], url=known.url, sha256=known.sha256))
    with pytest.raises(CheckpointInvalid, match="get it with: python -m engine checkpoints --fetch sam_vit_b"):
        find_checkpoint("sam_vit_b")
    assert main(["checkpoints", "--fetch", "sam_vit_b"]) == 0
    path = tmp_path / "sam_vit_b_01ec64.pth"
    assert capsys.readouterr().out == f"{path}\n"
    assert find_checkpoint("sam_vit_b") == path
    assert main(["checkpoints"]) == 0
    listed = capsys.readouterr().out
    assert "sam_vit_b  on disk, 375.0 MB, Apache-2.0" in listed
    assert "sam_vit_h  not on disk, 2564.6 MB, Apache-2.0" in listed
    path.write_bytes(b"damaged")
    checkpoints.list_published(KNOWN["sam_vit_b"], tmp_path)
    assert "on disk, but not the published file" in capsys.readouterr().out


def test_what_is_no_address_is_refused(known, tmp_path):
    with pytest.raises(FetchFailed, match="'weights' is no address"):
        fetch(known, tmp_path, url="weights")


def test_an_unknown_name_is_bad_input(capsys):
    assert main(["checkpoints", "--fetch", "sam_vit_z"]) == 2
    assert "there are sam_vit_b, sam_vit_l, sam_vit_h, mobile_sam" in capsys.readouterr().err


def test_listing_and_fetching_load_no_torch():
    code = "import sys; from engine.cli import main; main(['checkpoints']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_known_checkpoints_are_those_of_the_registry_with_whole_hashes():
    from engine.model.build import ARCHITECTURES

    assert set(KNOWN) == {"sam_vit_b", "sam_vit_l", "sam_vit_h", "mobile_sam"} <= set(ARCHITECTURES)
    for known in KNOWN.values():
        assert re.fullmatch("[0-9a-f]{64}", known.sha256)
        assert known.url.endswith(f"/{known.file}")
