"""Photos from S3, against moto's server: looked at first, fetched once, gone on with where it stopped."""

import json
from collections.abc import Iterator

import boto3
import pytest
from django.db.models.functions import Now
from moto.server import ThreadedMotoServer

from backend.accounts.models import User
from backend.common.models import Event
from backend.config.sources import Source, read_sources
from backend.datasets import s3_imports
from backend.datasets.models import Image, ImportState, Membership, S3Import
from backend.datasets.s3_imports import MAX_ATTEMPTS, SILENT_AFTER, s3_import_work, s3_imports_sweep
from backend.datasets.s3_sources import Bucket

pytestmark = pytest.mark.django_db
NAMED = ("admin of the dataset",)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint, monkeypatch, settings, jpeg):
    """A bucket with three photos, a text and a folder under day1/, and one photo elsewhere."""
    for name, value in {"ACCESS_KEY_ID": "testing", "SECRET_ACCESS_KEY": "testing"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    settings.S3_SOURCES = {
        "camera": Source("camera", ("photos", "gone"), endpoint, "us-east-1", users=NAMED),
        "unreachable": Source("unreachable", ("photos",), "http://127.0.0.1:9", "us-east-1", users=NAMED),
        "no such profile": Source("no such profile", ("photos",), endpoint, "us-east-1", profile="nobody", users=NAMED),
    }
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket="photos")
    for entry in client.list_objects_v2(Bucket="photos").get("Contents", []):
        client.delete_object(Bucket="photos", Key=entry["Key"])
    for seed in range(3):
        client.put_object(Bucket="photos", Key=f"day1/{seed}.jpg", Body=jpeg(seed=seed))
    client.put_object(Bucket="photos", Key="day1/", Body=b"")
    client.put_object(Bucket="photos", Key="day1/notes.txt", Body=b"not a photo")
    client.put_object(Bucket="photos", Key="day2/9.jpg", Body=jpeg(seed=9))
    return client


@pytest.fixture
def ask(dataset, admin, as_user):
    def post(path: str, **body):
        return as_user(admin).post(f"/api/datasets/{dataset.id}/{path}/", body, format="json")

    return post


@pytest.fixture
def start(ask):
    def begin(prefix: str = "day1/") -> S3Import:
        reply = ask("s3-imports", source="camera", bucket="photos", prefix=prefix)
        assert reply.status_code == 201, reply.json()
        return S3Import.objects.get(id=reply.json()["id"])

    return begin


def work(own: S3Import, **options) -> S3Import:
    s3_import_work(import_id=own.id, **options)
    own.refresh_from_db()
    return own


def test_a_check_lists_the_first_keys_and_imports_nothing(ask, bucket):
    reply = ask("s3-check", source="camera", bucket="photos", prefix="day1/").json()
    assert [key["key"] for key in reply["keys"]] == ["day1/0.jpg", "day1/1.jpg", "day1/2.jpg", "day1/notes.txt"]
    assert (reply["count"], reply["is_all"]) == (4, True)
    assert not Image.objects.exists()


@pytest.mark.parametrize(
    ("source", "bucket_name", "says"),
    [
        ("camera", "gone", "There is no bucket gone"),
        ("camera", "secrets", "may not read the bucket secrets"),
        ("http://169.254.169.254", "photos", "no S3 source named"),
        ("unreachable", "photos", "cannot be reached"),
        ("no such profile", "photos", "wants the profile nobody"),
    ],
)
def test_what_is_wrong_with_a_bucket_is_said_in_words(ask, bucket, source, bucket_name, says):
    reply = ask("s3-check", source=source, bucket=bucket_name)
    assert (reply.status_code, reply.json()["code"]) == (400, "s3_refused")
    assert says in reply.json()["message"]


@pytest.mark.parametrize(
    ("code", "status", "says"),
    [
        ("AccessDenied", 403, "do not allow it to read the bucket photos"),
        ("InvalidAccessKeyId", 403, "does not accept the server's credentials"),
        ("PermanentRedirect", 301, "is in another region"),
        ("SlowDown", 503, "answered SlowDown"),
    ],
)
def test_what_s3_answers_is_said_in_words(bucket, settings, code, status, says):
    from botocore.exceptions import ClientError

    error = ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "ListObjectsV2")
    refusal = Bucket(settings.S3_SOURCES["camera"], "photos")._refusal(error)
    assert says in refusal.message
    assert refusal.is_passing == (status == 503)


def test_photos_arrive_and_what_is_none_is_named_with_its_reason(start, bucket, dataset, admin, as_user):
    own = work(start())
    assert (own.state, own.imported, own.refused) == (ImportState.DONE, 3, 1)
    assert sorted(Image.objects.values_list("source", flat=True)) == [f"s3://photos/day1/{n}.jpg" for n in range(3)]
    (shown,) = as_user(admin).get(f"/api/datasets/{dataset.id}/s3-imports/").json()
    assert [refusal["key"] for refusal in shown["refusals"]] == ["day1/notes.txt"]
    assert "not a photo" in shown["refusals"][0]["message"]


def test_it_goes_on_where_it_stopped_and_fetches_nothing_twice(start, bucket, monkeypatch):
    fetched = []
    read = Bucket.read
    monkeypatch.setattr(Bucket, "read", lambda self, key: fetched.append(key) or read(self, key))
    own = start()
    for _ in range(3):
        assert work(own, slice_seconds=0).state == ImportState.RUNNING
    assert (own.cursor, own.imported) == ("day1/2.jpg", 3)
    assert work(own).state == ImportState.DONE
    assert fetched == ["day1/0.jpg", "day1/1.jpg", "day1/2.jpg", "day1/notes.txt"]
    work(own)
    again = work(start())
    assert (again.imported, again.already_there, again.refused) == (0, 3, 1)
    assert fetched[4:] == ["day1/notes.txt"], "what is known is not fetched to find that out"


def test_a_second_delivery_finds_it_taken_until_the_worker_is_silent_for_long(start, bucket):
    own = start()
    S3Import.objects.filter(id=own.id).update(heard_at=Now())
    assert work(own).imported == 0
    S3Import.objects.filter(id=own.id).update(heard_at="2020-01-01T00:00Z")
    assert work(own).imported == 3


def test_a_network_that_is_gone_is_tried_again_and_then_said(start, bucket, settings):
    own = start()
    settings.S3_SOURCES = {"camera": Source("camera", ("photos",), "http://127.0.0.1:9", "us-east-1", users=NAMED)}
    states = [work(own).state for _ in range(MAX_ATTEMPTS)]
    assert states == [ImportState.RUNNING] * (MAX_ATTEMPTS - 1) + [ImportState.FAILED]
    assert "cannot be reached" in own.error


def test_one_that_failed_goes_on_and_one_that_ended_begins_again(start, bucket, as_user, admin):
    own = start()
    work(own, slice_seconds=0)
    client = as_user(admin)
    client.post(f"/api/s3-imports/{own.id}/cancel/")
    assert work(own).imported == 1
    assert client.post(f"/api/s3-imports/{own.id}/retry/").status_code == 204
    assert (work(own).imported, own.refused) == (3, 1)
    bucket.delete_object(Bucket="photos", Key="day1/notes.txt")
    assert client.post(f"/api/s3-imports/{own.id}/retry/").status_code == 204
    own = work(own)
    assert (own.state, own.already_there, own.refused) == (ImportState.DONE, 3, 0)
    assert not own.refusals.exists()


def test_one_import_at_a_time(start, ask, bucket):
    start()
    reply = ask("s3-imports", source="camera", bucket="photos")
    assert (reply.status_code, reply.json()["code"]) == (409, "s3_import_unfinished")


def test_a_lost_wake_up_call_is_made_up_for(start, bucket, monkeypatch):
    own = start()
    woken = []
    monkeypatch.setattr(s3_imports, "_wake", woken.append)
    s3_imports_sweep()
    assert woken == [own.id]


def test_a_call_that_is_made_again_is_told_where_the_one_before_was_lost(start, bucket, monkeypatch, behind):
    own = start()
    woken = []
    monkeypatch.setattr(s3_imports, "_wake", woken.append)

    def told():
        s3_imports_sweep()
        return Event.objects.filter(kind="s3_import.asked_again", subject_id=own.id, dataset_id=own.dataset_id).count()

    assert told() == 0  # it has only just been called
    S3Import.objects.update(created_at=Now() - 2 * SILENT_AFTER)
    behind(7)
    assert told() == 0  # it may stand behind others
    behind(0)
    assert told() == 1
    S3Import.objects.update(heard_at=Now())
    assert told() == 1  # somebody is at it
    S3Import.objects.update(heard_at=Now() - 2 * SILENT_AFTER)
    assert told() == 2
    assert woken == [own.id] * 4


def test_keys_are_streamed_page_by_page(bucket, settings, monkeypatch):
    monkeypatch.setattr("backend.datasets.s3_sources._PAGE_KEYS", 2)
    found = Bucket(settings.S3_SOURCES["camera"], "photos").after("day1/", "day1/0.jpg")
    assert next(found).key == "day1/1.jpg"
    assert [entry.key for entry in found] == ["day1/2.jpg", "day1/notes.txt"]


def test_only_an_admin_sees_sources_and_imports(dataset, reviewer, stranger, as_user, bucket, start):
    own = start()
    for path in (f"datasets/{dataset.id}/s3-sources/", f"datasets/{dataset.id}/s3-imports/"):
        assert as_user(reviewer).get(f"/api/{path}").status_code == 403
        assert as_user(stranger).get(f"/api/{path}").status_code == 404
    assert as_user(stranger).post(f"/api/s3-imports/{own.id}/cancel/").status_code == 404


def test_who_makes_a_dataset_of_their_own_reads_no_bucket_that_does_not_name_them(
    stranger, as_user, bucket, dataset, start
):
    client = as_user(stranger)
    own = client.post("/api/datasets/", {"name": "mine"}, format="json").json()["id"]
    assert client.get(f"/api/datasets/{own}/s3-sources/").json() == []
    for path in ("s3-check", "s3-imports"):
        reply = client.post(f"/api/datasets/{own}/{path}/", {"source": "camera", "bucket": "photos"}, format="json")
        assert (reply.status_code, reply.json()["code"]) == (400, "s3_refused")
        assert "no S3 source named camera" in reply.json()["message"]
    assert not S3Import.objects.exists()
    stopped = work(start())
    Membership.objects.create(dataset=dataset, user=stranger, role="admin")
    assert client.post(f"/api/s3-imports/{stopped.id}/retry/").json()["code"] == "s3_refused"
    User.objects.filter(id=stranger.id).update(is_superuser=True)
    stranger.refresh_from_db()
    sources = as_user(stranger).get(f"/api/datasets/{own}/s3-sources/").json()
    assert [source["name"] for source in sources] == ["camera", "unreachable", "no such profile"]


@pytest.fixture
def breaking(monkeypatch):
    """Storing fails for these keys."""
    keys = set()
    take = s3_imports.image_import

    def sometimes(**options):
        if options["file_name"] in keys:
            raise OSError("the disk said no")
        return take(**options)

    monkeypatch.setattr(s3_imports, "image_import", sometimes)
    return keys


def test_an_object_that_breaks_our_storage_is_named_with_its_reason_and_the_others_are_fetched(start, bucket, breaking):
    breaking.update({"day1/0.jpg", "day1/notes.txt"})
    own = work(start())
    assert (own.state, own.imported, own.refused, own.error) == (ImportState.DONE, 2, 2, "")
    said = dict(own.refusals.values_list("key", "message"))
    assert said == dict.fromkeys(breaking, "The server could not take it: the disk said no")


def test_a_storage_that_is_broken_stops_the_import_with_a_true_sentence_and_no_object_is_passed_over(
    start, bucket, breaking
):
    breaking.update(f"day1/{n}.jpg" for n in range(3))
    own = start()
    states = [work(own).state for _ in range(MAX_ATTEMPTS)]
    assert states == [ImportState.RUNNING] * (MAX_ATTEMPTS - 1) + [ImportState.FAILED]
    assert own.error == "The server could not take 3 objects in a row, the last: the disk said no"
    assert (own.cursor, own.refused) == ("", 0)


def test_files_that_are_there_need_not_be_sent(ask, photo, dataset, as_user, reviewer):
    assert ask("known", hashes=[photo.content_hash, "0" * 64]).json() == {"known": [photo.content_hash]}
    assert ask("known", hashes=["no hash"]).status_code == 400
    assert as_user(reviewer).post(f"/api/datasets/{dataset.id}/known/", {"hashes": []}).status_code == 403


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"a": {}}',
        '{"a": {"buckets": []}}',
        '{"a": {"buckets": ["b"], "secret": "x"}}',
        '{"a": {"buckets": ["b"], "users": "ada"}}',
    ],
)
def test_sources_that_are_written_wrongly_are_refused_at_the_start(text):
    with pytest.raises(ValueError, match="S3_SOURCES"):
        read_sources(text)


def test_sources_are_read_as_written():
    sources = read_sources(json.dumps({"camera": {"buckets": ["a"], "region": "eu-central-1", "users": ["ada"]}}))
    assert sources == {"camera": Source("camera", ("a",), region="eu-central-1", users=("ada",))}
    assert read_sources("") == {}
