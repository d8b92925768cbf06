"""Photos chosen, sorted and paged; their masks as a picture."""

import base64
import io
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image as Pillow

from backend.annotation.models import Assignment, Mask, MaskState, Origin
from backend.annotation.overlays import overlay_png
from backend.common.models import Event
from backend.datasets.models import Dataset, Image, Split
from engine import masks as run_lengths
from tests.backend.conftest import disc


@pytest.fixture
def look(dataset, admin, as_user):
    """The gallery's answer to a choice."""

    def ask(path: str = "", **chosen):
        reply = as_user(admin).get(path or f"/api/datasets/{dataset.id}/images/", chosen)
        assert reply.status_code == 200, reply.json()
        return reply.json()

    return ask


def names(answer):
    return [photo["file_name"] for photo in answer["results"]]


def put_mask(image, author=None, origin=Origin.ASSISTED, **fields):
    counts = run_lengths.encode(disc(image))["counts"]
    x0, y0, x1, y1 = run_lengths.bbox({"size": list(image.size), "counts": counts})
    return Mask.objects.create(
        image=image,
        author=author,
        origin=origin,
        counts=counts,
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
        area=9,
        content_hash=uuid4().hex,
        **fields,
    )


def test_how_much_others_made_is_for_reviewers(dataset, annotator, reviewer, as_user):
    """By days, the gallery would tell everybody's output."""
    url = f"/api/datasets/{dataset.id}/images/"
    asked = {user: as_user(annotator).get(url, {"person": str(user.id)}).status_code for user in (annotator, reviewer)}
    assert asked == {annotator: 200, reviewer: 403}
    assert as_user(reviewer).get(url, {"person": str(annotator.id)}).status_code == 200


def test_pages_hold_every_photo_once_in_every_order_forwards_and_backwards(look, add_photo):
    photos = [add_photo(seed) for seed in range(7)]
    for photo in photos[::2]:
        put_mask(photo, predicted_iou=0.5)  # many of one value: the id decides
    for sort in ("oldest", "newest", "name", "most_masks", "least_sure"):
        page = look(sort=sort, page_size=2)
        assert page["count"] == 7
        assert page["previous"] is None
        forwards = names(page)
        while page["next"]:
            page = look(page["next"])
            assert page["count"] is None
            forwards += names(page)
        assert sorted(forwards) == sorted(photo.file_name for photo in photos), sort
        backwards = names(page)
        while page["previous"]:
            page = look(page["previous"])
            backwards = names(page) + backwards
        assert backwards == forwards, sort
    assert forwards[:4] == [photo.file_name for photo in photos[::2]], "the least sure come first"


def test_a_list_begins_where_a_person_left_it_even_if_the_photo_is_no_longer_chosen(look, add_photo):
    photos = [add_photo(seed) for seed in range(4)]
    page = look(start=photos[2].id, page_size=1)
    assert (names(page), page["count"]) == (["photo 2.jpg"], 4)
    assert names(look(page["previous"])) == ["photo 1.jpg"]
    assert names(look(page["next"])) == ["photo 3.jpg"]
    put_mask(photos[2])
    assert names(look(start=photos[2].id, status="waiting")) == ["photo 3.jpg"]


def test_photos_are_chosen_by_what_was_done_to_them(look, photo, add_photo, annotator, reviewer, label, live):
    by_person = label(annotator)
    (open_one, automatic, waiting) = (add_photo(seed) for seed in range(1, 4))
    Image.objects.filter(id=waiting.id).update(split=Split.HOLDOUT)
    put_mask(automatic, origin=Origin.AUTOMATIC, checkpoint=live, predicted_iou=0.7)
    Assignment.objects.create(image=open_one, holder=reviewer, checkpoint=live, expires_at="2100-01-01T00:00Z")
    for chosen, expected in [
        ({"status": "annotated"}, [by_person]),
        ({"status": "open"}, [open_one]),
        ({"status": "automatic"}, [automatic]),
        ({"status": "waiting"}, [waiting]),
        ({"split": "holdout"}, [waiting]),
        ({"origin": "automatic"}, [automatic]),
        ({"person": annotator.id}, [by_person]),
        ({"person": reviewer.id}, []),
        ({"checkpoint": live.id, "origin": "automatic"}, [automatic]),
        ({"confidence_from": 0.65, "confidence_to": 0.75}, [automatic]),
        ({"confidence_from": 0.65, "person": annotator.id}, [by_person]),
        ({"name": "PHOTO 3"}, [waiting]),
    ]:
        page = look(**chosen)
        assert names(page) == [photo.file_name for photo in expected], chosen
        assert page["count"] == len(expected)


def test_photos_are_chosen_by_the_stage_in_which_a_mask_was_made_whoever_made_it(
    look, dataset, photo, add_photo, admin, as_user
):
    begun = datetime(2026, 3, 1, tzinfo=UTC)
    Dataset.objects.filter(id=dataset.id).update(created_at=begun)
    stages = ["assisted", "semi_automatic", "assisted", "automatic"]
    for number, stage in enumerate(stages):
        day = begun + timedelta(days=number)
        if number:
            reply = as_user(admin).post(f"/api/datasets/{dataset.id}/stage/", {"stage": stage}, format="json")
            assert reply.status_code < 300, reply.content
            Event.objects.filter(kind="dataset.stage_changed", data__stage=stage, created_at__gt=day).update(
                created_at=day
            )
        image = add_photo(seed=number) if number else photo
        mask = put_mask(image, origin=Origin.AUTOMATIC if number == 1 else Origin.ASSISTED)
        Mask.objects.filter(id=mask.id).update(created_at=day if number % 2 else day + timedelta(hours=23))
    add_photo(seed=4)
    for stage in set(stages):
        files = [f"photo {number}.jpg" for number, other in enumerate(stages) if other == stage]
        assert names(look(stage=stage)) == files, stage
    assert names(look(stage="semi_automatic", origin="assisted")) == []
    # The dashboard's rounds say the same.
    rounds = look(f"/api/datasets/{dataset.id}/figures/")["rounds"]
    assert [one["stage"] for one in rounds] == stages


def test_a_mask_made_in_no_such_stage_chooses_nothing(look, photo):
    put_mask(photo)
    assert names(look(stage="automatic")) == []


def test_masks_that_do_not_count_choose_nothing(look, photo, annotator):
    put_mask(photo, annotator, state=MaskState.REJECTED)
    assert names(look(person=annotator.id)) == []
    assert look()["results"][0]["overlay_url"] is None


@pytest.mark.parametrize(
    "chosen",
    [
        {"status": "done"},
        {"stage": "no stage"},
        {"sort": "random"},
        {"person": "me"},
        {"confidence_from": "1.5"},
        {"page_size": "0"},
        {"page_size": "501"},
        {"cursor": "zzz"},
        {"cursor": base64.urlsafe_b64encode(json.dumps(["f", "v", "no moment", str(uuid4())]).encode()).decode()},
        {"cursor": base64.urlsafe_b64encode(json.dumps(["f", "v", {"a": 1}, str(uuid4())]).encode()).decode()},
        {"name": "\0"},
        {"skipped_in": "nothing"},
    ],
)
def test_a_choice_that_makes_no_sense_is_refused_in_words(dataset, admin, as_user, chosen):
    reply = as_user(admin).get(f"/api/datasets/{dataset.id}/images/", chosen)
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_input")


@pytest.mark.parametrize(
    ("chosen", "least"),
    [
        ({"verdict": "accept"}, "reviewer"),
        ({"judged_from": "2026-01-01T00:00Z"}, "reviewer"),
        ({"judged_to": "2026-01-01T00:00Z"}, "reviewer"),
        ({"skipped": "blurred"}, "admin"),
        ({"skipped_in": "annotate"}, "admin"),
        ({"skipped": "blurred", "verdict": "accept"}, "admin"),
    ],
)
def test_who_gives_a_second_opinion_cannot_ask_for_the_first_nor_why_others_skipped(
    dataset, photo, annotator, reviewer, admin, stranger, as_user, chosen, least
):
    roles = {"annotator": annotator, "reviewer": reviewer, "admin": admin}
    for place, (role, who) in enumerate(roles.items()):
        reply = as_user(who).get(f"/api/datasets/{dataset.id}/images/", chosen)
        may = place >= list(roles).index(least)
        assert (reply.status_code, reply.json().get("code")) == ((200, None) if may else (403, "not_allowed")), role
    assert as_user(stranger).get(f"/api/datasets/{dataset.id}/images/", chosen).status_code == 404
    nothing = dict.fromkeys(chosen, "")
    assert as_user(annotator).get(f"/api/datasets/{dataset.id}/images/", nothing).json()["count"] == 1


def test_masks_are_drawn_over_the_thumbnail_and_new_masks_have_a_new_address(look, photo, annotator, as_user):
    put_mask(photo)
    address = look()["results"][0]["overlay_url"]
    reply = as_user(annotator).get(address)
    picture = np.asarray(Pillow.open(io.BytesIO(reply.content)).convert("RGBA"))
    assert picture.shape[:2] == photo.size
    assert np.array_equal(picture[..., 3] > 0, disc(photo))
    assert set(np.unique(picture[..., 3])) == {0, 84, 255}, "inside and edge"
    assert as_user(annotator).get(address).content == reply.content
    put_mask(photo)
    assert look()["results"][0]["overlay_url"] != address


def test_a_stranger_gets_no_picture_of_masks(photo, stranger, as_user):
    assert as_user(stranger).get(f"/api/images/{photo.id}/overlay/").status_code == 404


def test_an_overlay_is_what_the_photo_has_at_the_centre_of_each_of_its_pixels():
    rng = np.random.default_rng(3)
    mask = rng.random((700, 1024)) < 0.5
    rle = run_lengths.encode(mask)
    picture = Pillow.open(io.BytesIO(overlay_png([(rle["counts"], (0, 0, 1024, 700))], mask.shape))).convert("RGBA")
    assert picture.size == (256, 175)
    assert np.array_equal(np.asarray(picture)[..., 3] > 0, mask[2::4, 2::4])
