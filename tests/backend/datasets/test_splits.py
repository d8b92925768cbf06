"""Which photos decide and which teach: dealt as they come, the same for a dataset of ten photos and of ten million."""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend.annotation.selectors import images_waiting
from backend.datasets import services
from backend.datasets.models import Dataset, Image, Job, Split
from backend.datasets.services import image_import
from backend.datasets.splits import PATTERN
from tests.backend.conftest import multiplied, plan_of


@pytest.fixture
def bring(dataset, jpeg):
    def do(seed: int, group: str | None = None) -> Image:
        image, _ = image_import(dataset=dataset, file_name="a.jpg", content=jpeg(seed=seed), by=None, group=group)
        return image

    return do


def test_of_ten_groups_in_the_order_of_their_arrival_two_are_tests_one_is_held_out_and_each_stays_together(
    dataset, bring
):
    groups = [None, "a", None, "a", "b", "c", "b", None, "d", "e", "a", "f", None, "g", "g", "h", "i", "e", "k", "b"]
    known: dict[str, Split] = {}
    for seed, group in enumerate(groups):
        image = bring(seed, group)
        wanted = known.setdefault(image.group, PATTERN[len(known) % len(PATTERN)])
        assert image.split == wanted, f"photo {seed} of group {group}"
    assert len(known) > len(PATTERN)
    dataset.refresh_from_db()
    assert dataset.groups_dealt == len(known)


def test_a_group_goes_on_where_its_first_photo_is_now(bring):
    Image.objects.filter(id=bring(0, "a").id).update(split=Split.HOLDOUT)
    assert bring(1, "a").split == Split.HOLDOUT


def test_a_group_of_another_dataset_is_another_group(admin, bring, jpeg):
    bring(0, "a"), bring(1, "b"), bring(2, "c")
    other = Dataset.objects.create(created_by=admin, name="Another")
    image, _ = image_import(dataset=other, file_name="a.jpg", content=jpeg(seed=2), by=None, group="c")
    assert image.split == PATTERN[0]


@pytest.mark.django_db(transaction=True)
def test_photos_that_come_at_once_take_one_place_each(dataset, bring):
    def one(seed):
        try:
            return bring(seed).split
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        dealt = list(threads.map(one, range(6)))
    assert sorted(dealt) == sorted(PATTERN[:6])


def test_a_photo_that_another_import_brings_in_this_very_moment_takes_no_second_place(dataset, bring, monkeypatch):
    as_it_is = services.read_photo

    def faster(content, name):
        monkeypatch.setattr(services, "read_photo", as_it_is)
        image_import(dataset=dataset, file_name="first.jpg", content=content, by=None)
        return as_it_is(content, name)

    monkeypatch.setattr(services, "read_photo", faster)
    assert bring(0).file_name == "first.jpg"
    assert [bring(1).split, bring(2).split] == list(PATTERN[1:3])


def test_importing_a_photo_reads_no_others(dataset, bring):
    multiplied(bring(0)), bring(1, "a")
    with CaptureQueriesContext(connection) as asked:
        bring(2, "a")
    reading = [query["sql"] for query in asked if 'FROM "datasets_image"' in query["sql"]]
    plans = [plan_of(sql) for sql in reading]
    assert plans
    assert not [sql for sql in reading if "DISTINCT" in sql or "COUNT" in sql]
    assert all("image_of_group" in plan or "image_once_per_dataset" in plan for plan in plans), plans


def test_the_groups_of_a_dataset_that_there_was_before_are_counted(dataset, bring):
    for seed, group in enumerate(["a", "b", "a", None]):
        bring(seed, group)
    empty = Dataset.objects.create(created_by=dataset.created_by, name="Empty", groups_dealt=7)
    Dataset.objects.filter(id=dataset.id).update(groups_dealt=0)
    import_module("migrations.datasets.0008_groups_dealt").count_groups(apps, None)
    dataset.refresh_from_db(), empty.refresh_from_db()
    assert (dataset.groups_dealt, empty.groups_dealt) == (3, 0)
    assert bring(9).split == PATTERN[3]


def test_photos_to_be_completed_are_found_by_an_index(dataset, photo):
    multiplied(photo)
    assert "image_to_complete" in plan_of(images_waiting(dataset, Job.COMPLETE))
