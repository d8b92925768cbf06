"""What a person has done, for themselves."""

from datetime import UTC, datetime

import pytest

from backend.annotation.models import Assignment, Mask

pytestmark = pytest.mark.django_db


def work(client, **query):
    return client.get("/api/me/work/", query)


def test_today_and_the_days_before_are_counted_by_the_persons_calendar(
    annotator, as_user, add_photo, label, live, monkeypatch
):
    for seed in range(2):
        add_photo(seed)
    label(annotator, masks=2)
    label(annotator, masks=1)
    monkeypatch.setattr("backend.insights.work.database_now", lambda: datetime(2026, 1, 10, 18, tzinfo=UTC))
    # An evening in New York is the next day in UTC.
    evening, morning = "2026-01-10T03:30:00Z", "2026-01-10T15:00:00Z"
    first = Mask.objects.earliest("id").id
    Mask.objects.update(created_at=morning)
    Mask.objects.filter(id=first).update(created_at=evening)
    Assignment.objects.update(closed_at=morning)
    answer = work(as_user(annotator), days=366, time_zone="America/New_York").json()
    assert (answer["today"]["masks"], answer["today"]["photos"]) == (2, 2)
    days = [(day["day"], day["masks"], day["photos"]) for day in answer["days"]]
    assert days == [("2026-01-10", 2, 2), ("2026-01-09", 1, 0)]
    counted = Mask.objects.exclude(id=first)
    mean = sum(mask.seconds for mask in counted) / 2
    assert answer["today"]["seconds_per_mask"] == pytest.approx(mean)
    assert answer["today"]["clicks_per_mask"] == 1.0


def test_days_begin_where_the_person_is(annotator, as_user, photo, label, monkeypatch):
    label(annotator)
    monkeypatch.setattr("backend.insights.work.database_now", lambda: datetime(2026, 1, 10, 12, tzinfo=UTC))
    Mask.objects.update(created_at="2026-01-10T03:30:00Z")
    assert [day["day"] for day in work(as_user(annotator)).json()["days"]][-1:] == ["2026-01-10"]
    in_new_york = work(as_user(annotator), time_zone="America/New_York").json()
    assert {day["day"]: day["masks"] for day in in_new_york["days"]}["2026-01-09"] == 1
    assert in_new_york["today"] == {
        "day": "2026-01-10",
        "masks": 0,
        "photos": 0,
        "seconds_per_mask": None,
        "clicks_per_mask": None,
    }


def test_nobody_sees_the_work_of_another(annotator, reviewer, admin, as_user, photo, label, take, add_photo):
    label(annotator)
    add_photo(1)
    held = take(annotator)
    assert [photo["image"] for photo in work(as_user(annotator)).json()["open"]] == [str(held.image_id)]
    for other in (reviewer, admin):
        answer = work(as_user(other)).json()
        assert (answer["today"]["masks"], answer["days"], answer["open"]) == (0, [], [])


def test_what_is_open_in_a_dataset_that_one_left_is_not_told(annotator, as_user, photo, take, dataset):
    take(annotator)
    dataset.memberships.filter(user=annotator).delete()
    assert Assignment.objects.filter(holder=annotator).exists()
    assert work(as_user(annotator)).json()["open"] == []


@pytest.mark.parametrize(
    "query", [{"time_zone": "Mars/Olympus"}, {"time_zone": "../etc/passwd"}, {"days": 0}, {"days": 900}]
)
def test_a_question_that_makes_no_sense_is_refused(annotator, as_user, query):
    assert work(as_user(annotator), **query).status_code == 400
