"""The same storage, on S3: against moto's server, through boto3 and HTTP."""

from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from backend.common.storage import Missing, S3Storage


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
