"""Queues that different people hold: who works in which is said per member."""

from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from backend.annotation.models import Assignment, State
from backend.common.models import Event
from backend.datasets.models import Dataset, Job, Membership, Role
from backend.datasets.services import dataset_create, member_jobs_set, member_set

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def set_jobs(dataset, admin, as_user):
    def do(member, jobs, by=None):
        path = f"/api/datasets/{dataset.id}/members/{member.id}/"
        return as_user(by or admin).patch(path, {"jobs": jobs}, format="json")

    return do


def test_a_member_works_in_all_queues_unless_some_are_named(dataset, set_jobs, annotator, admin, as_user):
    members = as_user(annotator).get(f"/api/datasets/{dataset.id}/members/").json()
    assert {member["username"]: member["jobs"] for member in members} == {"annotator": None, admin.username: None}
    assert as_user(annotator).get(f"/api/datasets/{dataset.id}/").json()["jobs"] == ["annotate", "correct", "audit"]
    assert set_jobs(annotator, ["correct", "verify", "verify"]).json()["jobs"] == ["verify", "correct"]
    assert as_user(annotator).get(f"/api/datasets/{dataset.id}/").json()["jobs"] == ["correct"]  # of this stage
    assert set_jobs(annotator, ["audit", "annotate", "verify", "complete", "correct"]).json()["jobs"] is None
    assert set_jobs(annotator, []).json()["jobs"] == []
    assert as_user(annotator).get(f"/api/datasets/{dataset.id}/").json()["jobs"] == []
    assert Event.objects.filter(kind="member.jobs_set", subject_id=annotator.id, by=admin).count() == 3


def test_nothing_is_handed_out_from_a_queue_that_is_not_the_persons(
    dataset, photo, set_jobs, annotator, reviewer, as_user
):
    Dataset.objects.update(stage="semi_automatic")
    set_jobs(annotator, ["complete"])
    client, url = as_user(annotator), f"/api/datasets/{dataset.id}"
    for path, body in (("assignments", {}), ("assignments", {"job": "correct"}), ("questions", {})):
        reply = client.post(f"{url}/{path}/", body, format="json").json()
        assert reply["reason"] == "not_your_job", reply
    assert client.post(f"{url}/assignments/", {"job": "complete"}, format="json").json()["reason"] == "nothing_left"
    refused = client.post(f"/api/images/{photo.id}/open/")
    assert (refused.status_code, refused.json()["code"]) == (403, "job_not_yours")
    assert not Assignment.objects.exists()
    assert as_user(reviewer).post(f"/api/images/{photo.id}/open/").status_code == 200


def test_what_a_person_has_in_hand_is_finished_whatever_queues_are_theirs_by_then(
    dataset, photo, set_jobs, annotator, as_user, take
):
    held = take(annotator)
    set_jobs(annotator, [])
    Assignment.objects.update(expires_at=Now())  # it runs out, with strokes that were not sent yet
    again = as_user(annotator).post(f"/api/images/{photo.id}/open/")
    assert again.status_code == 200
    submitted = as_user(annotator).post(f"/api/assignments/{again.json()['id']}/submit/", {"masks": []}, format="json")
    assert submitted.status_code == 204
    assert held.id != again.json()["id"]


def test_only_admins_say_who_works_where_and_nonsense_is_refused(
    dataset, set_jobs, annotator, reviewer, stranger, admin
):
    for jobs in (["dance"], "verify", {"verify": True}, [None]):
        assert set_jobs(annotator, jobs).status_code == 400, jobs
    assert set_jobs(annotator, ["verify"], by=reviewer).status_code == 403
    assert set_jobs(annotator, ["verify"], by=stranger).status_code == 404
    refused = set_jobs(stranger, ["verify"])  # no member
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_input")
    assert not Membership.objects.filter(jobs__isnull=False).exists()


def test_another_role_leaves_the_queues_as_they_are(dataset, set_jobs, annotator, admin, as_user):
    set_jobs(annotator, ["verify"])
    body = {"username": annotator.username, "role": "reviewer"}
    assert as_user(admin).post(f"/api/datasets/{dataset.id}/members/", body, format="json").json()["jobs"] == ["verify"]


def test_skips_are_counted_by_reason_and_lead_to_the_photos(
    dataset, add_photo, annotator, reviewer, admin, as_user, take, live
):
    photos = [add_photo(seed) for seed in range(3)]

    def skip(user, reason):
        held = take(user)
        reply = as_user(user).post(f"/api/assignments/{held.id}/skip/", {"reason": reason}, format="json")
        assert reply.status_code == 204
        return held.image_id

    dark = skip(annotator, "Blurred or too dark")
    assert skip(reviewer, "Blurred or too dark") == dark
    hard = skip(annotator, "Too difficult")
    url = f"/api/datasets/{dataset.id}"
    assert as_user(admin).get(f"{url}/skips/").json() == [
        {"job": "annotate", "reason": "Blurred or too dark", "photos": 1, "left": 1, "people": 2},
        {"job": "annotate", "reason": "Too difficult", "photos": 1, "left": 1, "people": 1},
    ]
    shown = as_user(admin).get(f"{url}/images/", {"skipped": "Too difficult"}).json()["results"]
    assert [image["id"] for image in shown] == [str(hard)]
    # Each line leads to as many photos as it says, though the same reason was given in other work.
    Assignment.objects.create(
        image=photos[2], holder=annotator, job=Job.CORRECT, state=State.SKIPPED, skip_reason="Too difficult",
        checkpoint=live, expires_at=Now(),
    )  # fmt: skip
    for line in as_user(admin).get(f"{url}/skips/").json():
        chosen = {"skipped": line["reason"], "skipped_in": line["job"]}
        assert as_user(admin).get(f"{url}/images/", chosen).json()["count"] == line["photos"] == 1
    assert as_user(admin).get(f"{url}/images/", {"skipped": str(uuid4())}).json()["count"] == 0
    assert as_user(admin).get(f"{url}/images/", {"skipped": "x" * 300}).status_code == 400
    assert as_user(annotator).get(f"{url}/skips/").status_code == 403
    assert len(photos) == 3


def test_photos_to_draw_come_as_the_dataset_says_and_test_photos_as_they_came(dataset, add_photo, annotator, as_user):
    from backend.annotation.selectors import images_waiting
    from backend.datasets.models import Image, Job, Split

    photos = [add_photo(seed) for seed in range(4)]
    for photo, doubt in zip(photos, (None, 0.2, 0.9, None), strict=True):
        Image.objects.filter(id=photo.id).update(doubt=doubt)

    def order(name):
        Dataset.objects.update(work_order=name)
        dataset.refresh_from_db()
        return [photos.index(photo) for photo in images_waiting(dataset, Job.ANNOTATE)]

    assert order("doubt") == [2, 1, 0, 3]
    assert order("import") == [0, 1, 2, 3]
    assert order("random") == sorted(range(4), key=lambda index: photos[index].content_hash)
    order("doubt")
    url = f"/api/datasets/{dataset.id}/assignments/"
    Image.objects.filter(id__in=[photos[1].id, photos[2].id]).update(split=Split.TEST)
    first = as_user(annotator).post(url, {}, format="json").json()["assignment"]["image"]["id"]
    assert first == str(photos[1].id)  # a test that the model's doubts have chosen would be no fair one


def test_what_a_person_is_in_each_of_many_datasets_is_asked_once(admin, reviewer, dataset, as_user):
    others = [dataset_create(creator=admin, name=f"Other {number}") for number in range(3)]
    member_set(dataset=others[0], username=reviewer.username, role=Role.ANNOTATOR, by=admin)
    member_jobs_set(dataset=others[0], user_id=reviewer.id, jobs=[Job.ANNOTATE], by=admin)
    for person, told in (
        (admin, {"Street": "admin", "Other 0": "admin", "Other 1": "admin", "Other 2": "admin"}),
        (reviewer, {"Street": "reviewer", "Other 0": "annotator"}),
    ):
        with CaptureQueriesContext(connection) as asked:
            shown = as_user(person).get("/api/datasets/").json()
        assert {one["name"]: one["role"] for one in shown} == told
        own = [query["sql"] for query in asked if 'FROM "datasets_membership"' in query["sql"]]
        assert len(own) == 1
    jobs = {one["name"]: one["jobs"] for one in shown}
    assert jobs["Other 0"] == ["annotate"]
    assert len(jobs["Street"]) > 1
