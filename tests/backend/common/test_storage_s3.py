"""The same storage, on S3: against moto's server, through boto3 and HTTP."""

import os
import time
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from backend.common.storage import KEPT_UNUSED_SECONDS, Missing, S3Storage


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint, monkeypatch):
    for name, value in {
        "ACCESS_KEY_ID": "testing",
        "SECRET_ACCESS_KEY": "testing",
        "DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="photos")
    return S3Storage("photos", "team/a", endpoint)


def test_bytes_and_files_come_back_as_they_were(s3, tmp_path):
    s3.put("images/one", b"one")
    (tmp_path / "two").write_bytes(b"two" * 1000)
    s3.put("images/two", tmp_path / "two")
    with s3.open("images/one") as file:
        assert file.read() == b"one"
    with s3.local("images/two") as path:
        assert path.read_bytes() == b"two" * 1000
    assert not path.exists()
    s3.place("images/two", tmp_path / "placed")
    assert (tmp_path / "placed").read_bytes() == b"two" * 1000
    assert (s3.size("images/one"), s3.size("images/none")) == (3, None)


def test_keys_lie_under_the_prefix(s3):
    s3.put("images/prefixed", b"x")
    assert s3.client.get_object(Bucket="photos", Key="team/a/images/prefixed")["Body"].read() == b"x"


def test_what_is_there_is_not_written_again(s3):
    s3.put("images/kept", b"first")
    s3.put("images/kept", b"second")
    with s3.open("images/kept") as file:
        assert file.read() == b"first"


def test_what_is_not_there_is_missing(s3):
    with pytest.raises(Missing):
        s3.open("images/nothing")
    with pytest.raises(Missing), s3.local("images/nothing"):
        pass


def test_check_says_whether_it_can_be_written(s3, endpoint):
    s3.check()
    with pytest.raises(OSError, match="no-such-bucket"):
        S3Storage("no-such-bucket", "", endpoint).check()


@pytest.mark.django_db
def test_a_whole_import_works_on_s3(s3, endpoint, settings, monkeypatch, dataset, admin, as_user, jpeg):
    from django.core.files.uploadedfile import SimpleUploadedFile

    monkeypatch.setenv("S3_ENDPOINT_URL", endpoint)
    settings.STORAGE_URL = "s3://photos/platform"
    content = jpeg(seed=3)
    client = as_user(admin)
    files = [SimpleUploadedFile("a.jpg", content)]
    reply = client.post(f"/api/datasets/{dataset.id}/upload/", {"files": files}, format="multipart")
    image = reply.json()["imported"][0]
    assert client.get(image["pixels_url"]).content == content


def test_weights_are_fetched_once_to_each_machine(s3, settings, tmp_path):
    settings.WORK_FOLDER = tmp_path
    s3.put("checkpoints/abc.safetensors", b"weights")
    with s3.local("checkpoints/abc.safetensors") as first, s3.local("checkpoints/abc.safetensors") as second:
        assert first == second
        assert first.read_bytes() == b"weights"
    assert first.exists()
    assert [p.name for p in first.parent.iterdir()] == ["abc.safetensors"]


def test_weights_that_nobody_used_for_days_go_when_others_come(s3, settings, tmp_path):
    settings.WORK_FOLDER = tmp_path
    for name in ("unused", "serving", "new"):
        s3.put(f"checkpoints/{name}.safetensors", name.encode())
    paths = []
    for name in ("unused", "serving"):
        with s3.local(f"checkpoints/{name}.safetensors") as path:
            paths.append(path)
    unused, serving = paths
    half = unused.with_name(".half.safetensors.7")
    half.write_bytes(b"ha")
    long_ago = int((time.time() - 2 * KEPT_UNUSED_SECONDS) * 1e9)
    for file in (unused, serving, half):
        os.utime(file, ns=(long_ago, long_ago))
    with s3.local("checkpoints/serving.safetensors"), s3.local("checkpoints/new.safetensors") as new:
        assert sorted(file.name for file in new.parent.iterdir()) == ["new.safetensors", "serving.safetensors"]
        assert serving.stat().st_mtime_ns == long_ago  # or the engine would load them again
    with s3.local("checkpoints/unused.safetensors") as again:
        assert again.read_bytes() == b"unused"


def test_what_is_stored_is_listed_by_its_keys_however_much_there_is(s3):
    wanted = {f"listed/{number}" for number in range(1100)}  # more than S3 names at once
    for key in wanted:
        s3.client.put_object(Bucket="photos", Key=f"team/a/{key}", Body=b"x")
    assert set(s3.keys("listed/")) == wanted
    assert set(s3.keys("nothing/")) == set()
