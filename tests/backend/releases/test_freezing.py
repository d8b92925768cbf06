"""Freezing many masks: by the database, not in the memory of the web process."""

import hashlib
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from backend.annotation.models import Mask, MaskState, Origin
from backend.datasets.models import Dataset, Image
from backend.releases.models import FrozenMask
from backend.releases.selectors import images_in
from backend.releases.services import frozen_set_make, release_request
from engine import masks as run_lengths
from tests.backend.conftest import disc

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def draw() -> Callable[[Image, int], list[Mask]]:
    """Masks on a photo, the fast way; their names are in no order."""

    def make(photo: Image, masks: int) -> list[Mask]:
        rle = run_lengths.encode(disc(photo))
        x0, y0, x1, y1 = run_lengths.bbox(rle)
        shape = {"x0": x0, "y0": y0, "x1": x1, "y1": y1, "area": run_lengths.area(rle)}
        rows = [
            Mask(id=uuid4(), image=photo, counts=rle["counts"], **shape, origin=Origin.AUTOMATIC, content_hash="")
            for _ in range(masks)
        ]
        return Mask.objects.bulk_create(rows, batch_size=5000)

    return make


def while_freezing(do: Callable[[], None]) -> AbstractContextManager[None]:
    """Once the masks were listed, and before anything else is asked."""

    def listed(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        done = execute(sql, *arguments)
        if sql.startswith(f'INSERT INTO "{FrozenMask._meta.db_table}"'):
            do()
        return done

    return connection.execute_wrapper(listed)


def test_freezing_twenty_thousand_masks_takes_less_than_four_megabytes(dataset, add_photo, draw):
    one, two, empty = add_photo(1), add_photo(2), add_photo(3)
    Image.objects.filter(id__in=(one.id, empty.id)).update(complete_at=one.created_at)
    drawn = draw(one, 12_000) + draw(two, 8_000)
    masks = Mask.objects.filter(image__dataset=dataset, state=MaskState.ACTIVE)
    tracemalloc.start()
    frozen = frozen_set_make(dataset=dataset, purpose="release", masks=masks)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20, f"{peak:,} bytes at once"
    frozen.refresh_from_db()
    ids = sorted(mask.id for mask in drawn)
    assert frozen.digest == hashlib.sha256("\n".join(map(str, ids)).encode()).hexdigest()
    assert (frozen.mask_count, frozen.image_count) == (20_000, 2)
    assert set(frozen.members.values_list("mask_id", flat=True)) == set(ids)
    assert list(frozen.complete_images.all()) == [one]
    assert list(images_in(frozen)) == [one, two]


def test_the_photos_of_a_set_are_told_apart_without_their_columns_being_compared(dataset, photo, draw):
    draw(photo, 2)
    frozen = frozen_set_make(dataset=dataset, purpose="release", masks=Mask.objects.all())
    assert "DISTINCT" not in str(images_in(frozen).query)
    assert list(images_in(frozen)) == [photo]


def test_while_masks_are_frozen_the_dataset_is_not_locked(dataset, admin, photo, draw):
    draw(photo, 1)
    locked = []

    def from_elsewhere() -> None:
        try:
            with transaction.atomic():
                Dataset.objects.select_for_update(nowait=True).get(id=dataset.id)
            locked.append(False)
        except Exception:
            locked.append(True)
        finally:
            connection.close()

    def ask() -> None:
        thread = threading.Thread(target=from_elsewhere)
        thread.start(), thread.join()

    with while_freezing(ask):
        release_request(dataset=dataset, by=admin, format_name="sa1b", options={})
    assert locked == [False]


def test_a_mask_drawn_while_a_set_is_frozen_leaves_its_photo_incomplete(dataset, add_photo, draw):
    one, two = add_photo(1), add_photo(2)
    draw(one, 1), draw(two, 2)
    Image.objects.update(complete_at=one.created_at)
    with while_freezing(lambda: draw(two, 1)):
        frozen = frozen_set_make(dataset=dataset, purpose="release", masks=Mask.objects.all())
    assert (frozen.mask_count, list(frozen.complete_images.all())) == (3, [one])
