"""A release: what was frozen, bit for bit, in files that the usual tools read."""

import hashlib
import io
import json
import tarfile
from uuid import uuid4

import numpy as np
import pytest
from django.db.models.functions import Now
from PIL import Image as Pillow
from pycocotools import mask as coco
from pycocotools.coco import COCO

from backend.annotation.models import Mask
from backend.common.storage import read
from backend.datasets.models import Image
from backend.launch.places import ROOT
from backend.releases.models import Release
from backend.releases.selectors import complete_in
from backend.releases.services import frozen_set_make, release_write
from engine import masks as run_lengths
from tests.backend.conftest import mask_body

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def labelled(annotator, add_photo, label):
    add_photo(1), add_photo(2, format="PNG"), add_photo(3)
    label(annotator, masks=2), label(annotator, masks=1)


@pytest.fixture
def release(labelled, release_of):
    return release_of


@pytest.fixture
def release_of(dataset, admin, as_user):
    def make(format_name="sa1b"):
        reply = as_user(admin).post(f"/api/datasets/{dataset.id}/releases/", {"format": format_name}, format="json")
        assert reply.status_code == 201, reply.content
        release_write(release_id=reply.json()["id"])
        return as_user(admin).get(f"/api/releases/{reply.json()['id']}/").json()

    return make


@pytest.fixture
def download(admin, as_user):
    def get(made):
        return {file["name"]: as_user(admin).get(file["url"]).content for file in made["files"]}

    return get


def members_of(shard: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(shard)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def test_sa1b_shards_hold_the_masks_bit_for_bit(release, download):
    made = release()
    files = download(made)
    members = members_of(files["sa_000000.tar"])
    assert sorted(members) == ["sa_1.jpg", "sa_1.json", "sa_2.jpg", "sa_2.json"]
    seen = {}
    for number in (1, 2):
        content = json.loads(members[f"sa_{number}.json"])
        picture = Pillow.open(io.BytesIO(members[f"sa_{number}.jpg"]))
        assert picture.format == "JPEG"
        assert picture.size == (content["image"]["width"], content["image"]["height"])
        for annotation in content["annotations"]:
            decoded = coco.decode(annotation["segmentation"])
            assert annotation["area"] == decoded.sum()
            np.testing.assert_array_equal(annotation["bbox"], coco.toBbox(annotation["segmentation"]))
            assert annotation["point_coords"] == [[30.5, 20.5]]
            assert annotation["crop_box"] == [0.0, 0.0, *map(float, picture.size)]
            seen[annotation["maskloop_uuid"]] = annotation["segmentation"]["counts"]
    assert seen == {str(mask.id): mask.counts for mask in Mask.objects.all()}
    assert (made["mask_count"], made["image_count"]) == (3, 2)


def test_jpeg_photos_leave_as_they_came(release, download):
    members = members_of(download(release())["sa_000000.tar"])
    jpeg = Image.objects.get(file_name="photo 1.jpg")
    assert members["sa_1.jpg"] == read(jpeg.original_key)


def test_checksums_are_those_of_the_files(release, download):
    made = release()
    files = download(made)
    for file in made["files"]:
        assert hashlib.sha256(files[file["name"]]).hexdigest() == file["sha256"]
        assert len(files[file["name"]]) == file["bytes"]
    listed = dict(line.split("  ")[::-1] for line in files["checksums.sha256"].decode().splitlines())
    assert listed == {f["name"]: f["sha256"] for f in made["files"] if f["name"] != "checksums.sha256"}


def test_coco_json_is_read_by_pycocotools(release, download, tmp_path):
    files = download(release("coco"))
    (tmp_path / "annotations.json").write_bytes(files["annotations.json"])
    read_back = COCO(tmp_path / "annotations.json")
    assert len(read_back.getImgIds()) == 2
    stored = {mask.counts: mask for mask in Mask.objects.all()}
    for annotation in read_back.loadAnns(read_back.getAnnIds()):
        mask = stored[annotation["segmentation"]["counts"]]
        size = list(mask.image.size)
        expected = run_lengths.decode({"size": size, "counts": mask.counts})
        np.testing.assert_array_equal(read_back.annToMask(annotation), expected)


def test_a_release_says_which_photos_were_complete_when_it_was_frozen(release, download):
    first = Image.objects.order_by("created_at", "id").first()
    Image.objects.filter(id=first.id).update(complete_at=Now())
    made = release("coco")
    Image.objects.update(complete_at=Now())  # said later: of masks that the release may not have
    Release.objects.update(state="writing", files=[], heard_at=None)
    release_write(release_id=made["id"])
    images = json.loads(download(made)["annotations.json"])["images"]
    assert [image["complete"] for image in images] == [True, None]


def test_a_set_that_leaves_a_mask_out_calls_its_photo_complete_to_nobody(labelled, dataset):
    Image.objects.update(complete_at=Now())
    two, one = Image.objects.filter(masks__isnull=False).distinct().order_by("created_at", "id")
    left_out = Mask.objects.filter(image=two).first()
    some = Mask.objects.exclude(id=left_out.id)
    assert complete_in(frozen_set_make(dataset=dataset, purpose="training", masks=some)) == {one.id}
    assert complete_in(frozen_set_make(dataset=dataset, purpose="training", masks=Mask.objects.all())) == {
        two.id,
        one.id,
    }


def test_writing_twice_leaves_the_same_bytes(release, dataset):
    made = release()
    files = Release.objects.get().files
    Release.objects.update(state="writing", files=[], heard_at=None)
    release_write(release_id=made["id"])
    assert Release.objects.get().files == files


def test_a_release_does_not_change_when_people_go_on(release, download, dataset, annotator, label):
    before = download(release())
    label(annotator, masks=2)
    after = download(release())
    assert before["sa_000000.tar"] != after["sa_000000.tar"]
    first = Release.objects.get(number=1)
    assert first.frozen_set.mask_count == first.frozen_set.members.count() == 3


def test_authors_leave_as_pseudonyms(release, download, annotator):
    shard = download(release())["sa_000000.tar"]
    assert annotator.username.encode() not in shard
    assert str(annotator.id).encode() not in shard


def test_there_is_nothing_to_release_without_masks(dataset, admin, as_user, photo):
    reply = as_user(admin).post(f"/api/datasets/{dataset.id}/releases/", {"format": "sa1b"}, format="json")
    assert (reply.status_code, reply.json()["code"]) == (409, "nothing_to_release")


def test_a_stranger_cannot_fetch_a_file(release, stranger, as_user):
    made = release()
    for file in made["files"]:
        assert as_user(stranger).get(file["url"]).status_code == 404


NASTY = json.loads((ROOT / "tests" / "data" / "nasty.json").read_text())


@pytest.mark.parametrize("format_name", ["sa1b", "coco"])
def test_nasty_masks_go_from_the_pages_run_lengths_to_pycocotools_with_iou_1(
    format_name, dataset, annotator, add_photo, take, as_user, release_of, download, tmp_path
):
    """`tests/annotator_frontend/shared/geometry.test.ts` holds the page's code to these run lengths, pixel for pixel."""
    add_photo(4)
    own = take(annotator)
    sent = {}
    for case in NASTY:
        mask_id = str(uuid4())
        body = mask_body(own, counts=case["counts"], size=case["size"])
        reply = as_user(annotator).put(f"/api/masks/{mask_id}/", body, format="json")
        assert reply.status_code == 201, (case["name"], reply.content)
        sent[mask_id] = np.array([[int(bit) for bit in row] for row in case["rows"]], np.uint8)
    empty = mask_body(own, np.zeros(own.image.size, bool))
    refused = as_user(annotator).put(f"/api/masks/{uuid4()}/", empty, format="json")
    assert (refused.status_code, refused.json()["message"]) == (400, "The mask is empty.")
    submit = f"/api/assignments/{own.id}/submit/"
    assert as_user(annotator).post(submit, {"masks": list(sent)}, format="json").status_code == 204
    for mask in Mask.objects.all():  # what the database has
        np.testing.assert_array_equal(
            coco.decode({"size": list(mask.image.size), "counts": mask.counts}), sent[str(mask.id)]
        )
    files = download(release_of(format_name))
    if format_name == "coco":
        (tmp_path / "annotations.json").write_bytes(files["annotations.json"])
        read_back = COCO(tmp_path / "annotations.json")
        annotations = read_back.loadAnns(read_back.getAnnIds())
        left = {a["maskloop_uuid"]: read_back.annToRLE(a) for a in annotations}
    else:
        annotations = json.loads(members_of(files["sa_000000.tar"])["sa_1.json"])["annotations"]
        left = {a["maskloop_uuid"]: a["segmentation"] for a in annotations}
    assert left.keys() == sent.keys()
    for mask_id, segmentation in left.items():
        truth = coco.encode(np.asfortranarray(sent[mask_id]))
        assert coco.iou([segmentation], [truth], [0]).item() == 1.0
        np.testing.assert_array_equal(coco.decode(segmentation), sent[mask_id])
    assert len({a["area"] for a in annotations}) > 5
