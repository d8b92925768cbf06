"""Specks go, and what somebody meant stays."""

import json
from pathlib import Path

import numpy as np
import pytest

from engine.inference.tidying import SPECK_SHARE, tidied

CASES = json.loads((Path(__file__).parents[2] / "data" / "tidy.json").read_text())
SIDE = 40
SIZE = (80, 80)  # a cell is two pixels


def square():
    """Twenty by twenty cells, with an island of one and one of four cells, and a hole of three and one of six."""
    logits = np.full((SIDE, SIDE), -3.0, np.float32)
    logits[10:30, 10:30] = 2.0
    logits[2, 3] = logits[35:37, 5:7] = 1.0
    logits[20, 20:23] = logits[15:17, 12:15] = -1.0
    return logits


def at(x, y):
    """A point in the middle of a cell."""
    return 2 * x + 1.0, 2 * y + 1.0


def test_what_is_less_than_a_hundredth_of_the_mask_changes_sides_and_no_more():
    # 396 cells are inside, of which 3 are a speck, and 4 are none.
    wanted = square()
    wanted[2, 3], wanted[20, 20:23] = -1.0, 1.0
    np.testing.assert_array_equal(tidied(square(), SIZE, [], []), wanted)


def test_an_island_that_was_clicked_and_a_hole_that_was_cut_out_stay():
    points = [at(3, 2), at(21, 20)]
    np.testing.assert_array_equal(tidied(square(), SIZE, points, [1, 0]), square())
    # A click for more on a hole, and one for less on an island, keep neither.
    assert not np.array_equal(tidied(square(), SIZE, points, [0, 1]), square())


def test_background_that_reaches_the_frame_is_no_hole():
    logits = np.full((SIDE, SIDE), 2.0, np.float32)
    logits[0, 7] = logits[20, -1] = logits[20, 20] = -1.0
    assert np.argwhere(tidied(logits, SIZE, [], []) < 0).tolist() == [[0, 7], [20, 39]]


def test_the_largest_part_stays_and_no_mask_becomes_empty():
    logits = np.full((SIDE, SIDE), -2.0, np.float32)
    logits[::2, ::2] = 1.0
    assert (tidied(logits, SIZE, [], []) > 0).any()
    none = np.full((SIDE, SIDE), -2.0, np.float32)
    np.testing.assert_array_equal(tidied(none, SIZE, [at(3, 3)], [1]), none)


def test_logits_of_exactly_0_in_a_hole_are_filled_too():
    logits = square()
    logits[20, 20:23] = 0.0
    assert (tidied(logits, SIZE, [], [])[20, 20:23] > 0).all()


def test_what_was_given_stays_as_it_was():
    given = square()
    tidied(given, SIZE, [], [])
    np.testing.assert_array_equal(given, square())


@pytest.mark.parametrize("case", CASES)
def test_flood_filling_cell_by_cell_comes_to_the_same(case):
    """A plain second writing of the rule."""
    side = case["side"]
    logits = np.array(case["logits"], np.float32).reshape(side, side)
    scale = side / max(case["size"])
    clicks = [(min(int(y * scale), side - 1), min(int(x * scale), side - 1), label) for x, y, label in case["points"]]
    inside = logits > 0
    wanted = inside.copy()
    islands = parts(inside, corners=True)
    largest = max(map(len, islands), default=0)
    for island in islands:
        is_clicked = any(label == 1 and (y, x) in island for y, x, label in clicks)
        if len(island) < SPECK_SHARE * inside.sum() and len(island) < largest and not is_clicked:
            for cell in island:
                wanted[cell] = False
    area = wanted.sum()
    for hole in parts(~wanted, corners=False):
        is_open = any(0 in cell or side - 1 in cell for cell in hole)
        is_clicked = any(label == 0 and (y, x) in hole for y, x, label in clicks)
        if len(hole) < SPECK_SHARE * area and not is_open and not is_clicked:
            for cell in hole:
                wanted[cell] = True
    points, labels = [(x, y) for x, y, _ in case["points"]], [label for *_, label in case["points"]]
    np.testing.assert_array_equal(tidied(logits, tuple(case["size"]), points, labels) > 0, wanted)
    assert np.flatnonzero(wanted != inside).tolist() == case["turned"]


def parts(inside, *, corners):
    steps = [(0, 1), (1, 0), (0, -1), (-1, 0)] + [(1, 1), (1, -1), (-1, 1), (-1, -1)] * corners
    left, found = {tuple(map(int, cell)) for cell in np.argwhere(inside)}, []
    while left:
        queue = [left.pop()]
        part = set(queue)
        while queue:
            y, x = queue.pop()
            new = {(y + dy, x + dx) for dy, dx in steps} & left
            left -= new
            part |= new
            queue += new
        found.append(part)
    return found
