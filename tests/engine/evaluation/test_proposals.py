"""evaluate proposals: average recall, against pycocotools."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from engine.evaluation import proposals
from engine.evaluation.proposals import average_recall, evaluate_proposals, share_found, without_filters
from engine.inference.predictor import EmbeddedPhoto
from engine.masks import area, encode, iou
from tests.engine.evaluation.conftest import rectangle
from tests.engine.scripted import ScriptedClicks

SIZE = (160, 200)


def boxes(rng, count):
    """Rectangles of all three classes of size."""
    found = []
    for _ in range(count):
        side = rng.choice([12, 50, 110])
        y, x = rng.integers(0, SIZE[0] - side), rng.integers(0, SIZE[1] - side)
        found.append((y, x, y + side + rng.integers(-2, 3), x + side))
    return found


def drawn(box):
    mask = np.zeros(SIZE, bool)
    mask[max(0, box[0]) : box[2], max(0, box[1]) : box[3]] = True
    return encode(mask)


def coco_of(photos, **more):
    one = COCO()
    entries = [
        {"id": number, "image_id": photo, "category_id": 1, "segmentation": rle, "area": area(rle), "bbox": [0] * 4,
         "iscrowd": 0, **{key: values[photo][place] for key, values in more.items()}}
        for number, (photo, place, rle) in enumerate(
            ((p, i, rle) for p, rles in enumerate(photos) for i, rle in enumerate(rles)), start=1
        )
    ]  # fmt: skip
    images = [{"id": photo, "height": SIZE[0], "width": SIZE[1]} for photo in range(len(photos))]
    one.dataset = {"images": images, "categories": [{"id": 1}], "annotations": entries}
    one.createIndex()
    return one


@pytest.mark.parametrize("limit", [5, 40])
def test_average_recall_is_what_cocos_own_evaluation_says(limit):
    rng = np.random.default_rng(0)
    truths, proposals, scores = [], [], []
    for _ in range(4):
        wanted = boxes(rng, 8)
        shifted = [tuple(np.array(box) + rng.integers(-4, 5, 4)) for box in wanted * 3] + boxes(rng, 6)
        truths.append([drawn(box) for box in wanted])
        proposals.append([rle for rle in map(drawn, shifted) if area(rle)])
        scores.append(sorted(rng.random(len(proposals[-1])), reverse=True))
    ours = average_recall(
        [iou(p, t) for p, t in zip(proposals, truths, strict=True)], [[area(t) for t in of] for of in truths], limit
    )
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = COCOeval(coco_of(truths), coco_of(proposals, score=scores), "segm")
        theirs.params.useCats, theirs.params.maxDets = 0, [limit]
        theirs.evaluate()
        theirs.accumulate()
    recall = theirs.eval["recall"][:, 0, :, 0].mean(0)  # of all, small, medium, large
    for name, wanted in zip(("all", "small", "medium", "large"), recall, strict=True):
        assert ours[name] == pytest.approx(wanted, abs=1e-12), name
    assert ours["interval"][0] <= ours["all"] <= ours["interval"][1]


def test_a_proposal_finds_one_object_and_the_better_ranked_one_chooses_first():
    # 0.72 is enough at 0.50, 0.55, ... 0.70: five of the ten.
    assert share_found(np.array([[0.62, 0.72]])).tolist() == pytest.approx([0, 0.5])
    # Up to 0.70 the first has taken object 1, and 0.60 of object 0 is left for the second; from 0.75 on that takes object 1.
    assert share_found(np.array([[0.62, 0.72], [0.6, 0.9]])).tolist() == pytest.approx([0.3, 0.9])
    assert share_found(np.zeros((0, 2))).tolist() == [0, 0]


def test_proposals_are_everything_modes_without_its_filters(a_record):
    left, right = rectangle(0, 0, 64, 32), rectangle(0, 32, 64, 64)

    def answer(x, _):
        return [(left if x < 32 else right, 0.01), (np.ones((64, 64), bool), 0.005)]  # nothing that a filter would keep

    class Clicks(ScriptedClicks):
        def embed(self, rgb):
            return EmbeddedPhoto(np.zeros(1), rgb.shape[:2])

    report = evaluate_proposals(Clicks(64, answer), [a_record([left, rectangle(0, 32, 64, 48)])], points_per_side=4)
    assert (report["images"], report["objects"]) == (1, 2)
    # `left` is found at every IoU; half of `right` at 0.50 alone.
    assert report["ar"]["100"]["all"] == pytest.approx((1 + 0.1) / 2)
    assert report["ar"]["1000"]["medium"] == pytest.approx((1 + 0.1) / 2)


def test_the_ranking_is_the_published_one(a_record, monkeypatch):
    assert without_filters(64).stability_offset == 1.0
    left, right = rectangle(0, 0, 64, 32), rectangle(0, 32, 64, 64)

    class Clicks(ScriptedClicks):
        def embed(self, rgb):
            return EmbeddedPhoto(np.zeros(1), rgb.shape[:2])

    def recall_of(in_left, in_right, wanted):
        """Of the one object that is wanted, where one proposal is looked at."""
        model = Clicks(64, lambda x, _: [(left, in_left) if x < 32 else (right, in_right)])
        monkeypatch.setattr(proposals, "LIMITS", (1,))
        return evaluate_proposals(model, [a_record([wanted])], points_per_side=4)["ar"]["1"]["all"]

    # Surer than can be is surer yet; and what the model thinks nothing of comes last, but comes.
    assert (recall_of(1.2, 1.4, right), recall_of(1.2, 1.4, left)) == (1, 0)
    assert (recall_of(-0.2, -0.3, left), recall_of(-0.2, -0.3, right)) == (1, 0)


def test_pixels_that_do_not_count_are_left_out_of_proposals_and_objects_alike(a_record):
    whole, lower_half = np.ones((64, 64), bool), rectangle(32, 0, 64, 64)

    class Clicks(ScriptedClicks):
        def embed(self, rgb):
            return EmbeddedPhoto(np.zeros(1), rgb.shape[:2])

    model = Clicks(64, lambda x, y: [(whole, 0.9), (rectangle(0, 0, 4, 4), 0.1)])
    report = evaluate_proposals(model, [a_record([whole], ignored=lower_half)], points_per_side=2)
    assert report["ar"]["100"]["all"] == 1  # half of it lies where nobody says what is there
