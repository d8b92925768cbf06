"""A dataset's counts, which every open page asks for."""

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend.annotation import api
from backend.common import costly

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def slow_counting(monkeypatch):
    """As in a large dataset. How often it was done."""
    count, done = api.counts_of, []

    def slowly(dataset):
        done.append(dataset)
        time.sleep(0.3)
        return count(dataset)

    monkeypatch.setattr(api, "counts_of", slowly)
    return done


def test_a_large_dataset_is_counted_once_for_all_pages(dataset, admin, annotator, photo, label, as_user, slow_counting):
    url = f"/api/datasets/{dataset.id}/"
    assert as_user(admin).get(url).json()["counts"]["fresh_in_seconds"] == 0
    label(annotator)
    seen = [as_user(user).get(url).json()["counts"] for user in (admin, annotator, admin, annotator)]
    assert len(slow_counting) == 1
    assert {counts["masks_human"] for counts in seen} == {0}
    time.sleep(seen[-1]["fresh_in_seconds"])
    now = as_user(annotator).get(url).json()["counts"]
    assert (now["masks_human"], now["annotated"], now["fresh_in_seconds"]) == (1, 1, 0)


def test_a_small_dataset_shows_each_mask_at_once(dataset, admin, annotator, add_photo, label, as_user, monkeypatch):
    monkeypatch.setattr(
        costly, "CHEAP_SECONDS", 60.0
    )  # on a busy machine counting three may take longer than it should
    url = f"/api/datasets/{dataset.id}/"
    for number in range(1, 4):
        add_photo(number)
        label(annotator)
        for user in (admin, annotator):
            assert as_user(user).get(url).json()["counts"]["masks_human"] == number


def test_the_workspace_gets_name_and_guidelines_without_anything_being_counted(
    dataset, annotator, stranger, photo, label, as_user
):
    label(annotator)
    url = f"/api/datasets/{dataset.id}/brief/"
    with CaptureQueriesContext(connection) as asked:
        told = as_user(annotator).get(url)
    assert told.json() == {"id": str(dataset.id), "name": "Street", "guidelines": ""}
    assert not [query for query in asked if "COUNT" in query["sql"] or "annotation_mask" in query["sql"]]
    assert as_user(stranger).get(url).status_code == 404
