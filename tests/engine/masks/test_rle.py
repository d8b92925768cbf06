"""Run lengths."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from engine.errors import MaskInvalid
from engine.masks import area, bbox, check, decode, decode_box, encode, from_coco, from_label_map, iou, rle

masks = st.tuples(st.integers(1, 24), st.integers(1, 24)).flatmap(lambda size: arrays(bool, size))


def plain_counts(mask: np.ndarray) -> list[int]:
    """Runs column by column, background first: the slow, plain way."""
    runs, value = [0], False
    for pixel in mask.T.ravel():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


@given(masks)
def test_a_mask_comes_back_as_it_was(mask):
    np.testing.assert_array_equal(decode(encode(mask)), mask)


@given(masks)
def test_runs_area_and_box_are_those_of_a_plain_count(mask):
    encoded = encode(mask)
    assert rle.run_lengths(encoded["counts"]).tolist() == plain_counts(mask)
    assert area(encoded) == mask.sum()
    ys, xs = np.nonzero(mask)
    assert bbox(encoded) == ((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) if len(xs) else (0, 0, 0, 0))


@given(masks, st.data())
def test_a_box_of_a_mask_is_decoded_as_the_whole_is_and_cut(mask, data):
    height, width = mask.shape
    x0, x1 = sorted(data.draw(st.tuples(st.integers(0, width), st.integers(0, width))))
    y0, y1 = sorted(data.draw(st.tuples(st.integers(0, height), st.integers(0, height))))
    np.testing.assert_array_equal(decode_box(encode(mask), (x0, y0, x1, y1)), mask[y0:y1, x0:x1])
    with pytest.raises(ValueError, match="leaves the mask"):
        decode_box(encode(mask), (0, 0, width + 1, height))


@given(masks)
def test_pycocotools_reads_and_writes_the_same(mask):
    theirs = coco.encode(np.asfortranarray(mask, np.uint8))
    assert encode(mask)["counts"] == theirs["counts"].decode()


@settings(max_examples=300)
@given(st.text(alphabet=[chr(c) for c in range(40, 120)], max_size=30), st.integers(1, 50), st.integers(1, 50))
def test_no_text_makes_decoding_write_outside_the_image(counts, height, width):
    try:
        decoded = decode({"size": [height, width], "counts": counts})
    except MaskInvalid:
        return
    assert decoded.shape == (height, width)
    assert encode(decoded)["counts"] == counts  # and only the one true spelling is taken


@pytest.mark.parametrize(
    "rle",
    [
        {"size": [3, 3], "counts": ""},
        {"size": [3, 3], "counts": "o"},
        {"size": [3, 3], "counts": "ooooooooooooo0"},
        {"size": [3, 3], "counts": "é"},
        {"size": [3], "counts": "9"},
        {"size": [0, 9], "counts": "9"},
        {"size": [100_000, 9], "counts": "9"},
        {"counts": "9"},
        {"size": [3, 3], "counts": 9},
        {"size": [3, 3], "counts": "8"},
    ],
)
def test_what_is_no_mask_is_refused(rle):
    with pytest.raises(MaskInvalid):
        check(rle)


def test_a_mask_of_another_photos_size_is_refused_with_both_sizes():
    with pytest.raises(MaskInvalid, match="5 x 4 px, the photo is 4 x 5 px"):
        check(encode(np.ones((5, 4), bool)), (4, 5))


@given(st.integers(0, 2**32 - 1))
def test_iou_is_intersection_over_union(seed):
    a, b = np.random.default_rng(seed).random((2, 12, 9)) > 0.6
    wanted = (a & b).sum() / max(1, (a | b).sum())
    np.testing.assert_allclose(iou([encode(a)], [encode(b)]), [[wanted]])


def test_the_shared_vectors_are_of_this_code():
    for case in json.loads((Path(__file__).parents[2] / "data" / "rle.json").read_text()):
        mask = np.array([[bit == "1" for bit in row] for row in case["rows"]])
        assert encode(mask)["counts"] == case["counts"]
        assert plain_counts(mask) == rle.run_lengths(case["counts"]).tolist()


def test_a_label_map_is_one_mask_a_value():
    found = from_label_map(np.array([[0, 1], [300, 1]], np.uint16))
    assert [mask.tolist() for mask in found] == [[[False, True], [False, True]], [[False, False], [True, False]]]
    with pytest.raises(MaskInvalid):
        from_label_map(np.zeros((2, 2, 3), np.uint8))


@pytest.mark.parametrize(
    "segmentation",
    [[], [[1, 2]], [[1, 2, 3, 4, 5]], [["a"] * 6], "text", {"size": [2, 2], "counts": [1, 1]}, [[float("nan")] * 6]],
)
def test_a_coco_segmentation_that_is_none_is_refused(segmentation):
    with pytest.raises(MaskInvalid):
        from_coco(segmentation, (4, 4))


@pytest.mark.parametrize("far", [1e8, -1e9, 1e300, -1e300])
def test_a_polygon_far_outside_the_photo_is_refused_before_anything_is_drawn(far):
    with pytest.raises(MaskInvalid, match="far outside"):
        from_coco([[0, 0, far, 0, 0, far]], (64, 64))
    assert from_coco([[-3.0, -3.0, 67.5, -3.0, 67.5, 66.0, -3.0, 66.0]], (64, 64)).all(), "a little outside is usual"


def test_an_outline_longer_than_any_is_refused():
    zigzag = [value for n in range(500) for value in (0.0, n / 10, 64.0, n / 10)]
    with pytest.raises(MaskInvalid, match="too long"):
        from_coco([zigzag], (64, 64))
    with pytest.raises(MaskInvalid, match="at most"):
        from_coco([[0, 0, 1, 0, 0, 1]] * 10_001, (4000, 4000))


@pytest.mark.parametrize("size", [[10**18, 1], [70_000, 70_000], [float("inf"), 2], [0, 0], [-1, -1]])
def test_run_lengths_of_a_size_that_no_photo_has_are_refused(size):
    with pytest.raises(MaskInvalid):
        from_coco({"size": size, "counts": [4_900_000_000]}, None)


def text_of(runs: list[int]) -> str:
    """COCO's compressed text of any numbers, however large."""
    letters = []
    for index, run in enumerate(runs):
        rest = run - runs[index - 2] if index > 2 else run
        while True:
            group = rest & 31
            rest >>= 5
            more = rest != -1 if group & 16 else rest != 0
            letters.append(chr((group | 32 if more else group) + 48))
            if not more:
                break
    return "".join(letters)


def test_run_lengths_whose_sum_overflows_are_refused():
    assert text_of([2, 3, 4]) == encode(np.array([[0, 0, 1, 1, 1, 0, 0, 0, 0]], bool))["counts"]
    huge = 2**33
    runs = [huge] * (2**64 // huge // 2**17) + [100]
    with pytest.raises(MaskInvalid):
        check({"size": [10, 10], "counts": text_of(runs)})
    with pytest.raises(MaskInvalid, match="longer than the image"):
        check({"size": [10, 10], "counts": text_of([101, 1])})
