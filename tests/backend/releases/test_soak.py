"""`make soak`: a release of many masks."""

import time
import tracemalloc

import pytest

from backend.annotation.models import Mask, Origin
from backend.datasets.models import Image
from backend.releases.models import Release
from backend.releases.services import release_request, release_write
from engine import masks as run_lengths
from tests.backend.conftest import disc

PHOTOS, MASKS = 500, 40


@pytest.mark.soak
@pytest.mark.django_db(transaction=True)
def test_writing_20_000_masks_keeps_memory_flat(dataset, admin, photo):
    copies = []
    for number in range(PHOTOS):
        copy = Image.objects.get(id=photo.id)
        copy.pk, copy.content_hash, copy._state.adding = None, f"{number:064x}", True
        copy.id = Image._meta.pk.get_default()
        copies.append(copy)
    Image.objects.bulk_create(copies)
    rle = run_lengths.encode(disc(photo))
    x0, y0, x1, y1 = run_lengths.bbox(rle)
    shape = {"x0": x0, "y0": y0, "x1": x1, "y1": y1, "area": run_lengths.area(rle)}
    Mask.objects.bulk_create(
        [
            Mask(image=image, counts=rle["counts"], **shape, origin=Origin.AUTOMATIC, content_hash="")
            for image in copies
            for _ in range(MASKS)
        ],
        batch_size=5000,
    )
    release = release_request(dataset=dataset, by=admin, format_name="sa1b", options={})
    tracemalloc.start()
    began = time.monotonic()
    release_write(release_id=release.id)
    seconds = time.monotonic() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    done = Release.objects.get()
    assert (done.state, done.frozen_set.mask_count) == ("ready", PHOTOS * MASKS)
    assert peak < 40 << 20, f"{peak >> 20} MB at once"
    print(f"{PHOTOS * MASKS / seconds:,.0f} masks a second, traced")
