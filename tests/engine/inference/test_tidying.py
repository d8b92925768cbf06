"""Specks go, and what somebody meant stays."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from engine.inference.frame import logits_to_mask
from engine.inference.tidying import SPECK_SHARE, tidied

CASES = json.loads((Path(__file__).parents[2] / "data" / "tidy.json").read_text())
SIDE = 40
SIZE = (80, 80)  # a cell is two pixels


def square():
    """Twenty by twenty cells, with an island of one and one of four cells, and a hole of three and one of six."""
    logits = np.full((SIDE, SIDE), -3.0, np.float32)
    logits[10:30, 10:30] = 2.0
    logits[2, 3] = logits[35:37, 5:7] = 1.0
    logits[20, 20:23] = -1.0
    logits[15:17, 12:15] = -1.0
    return logits


def at(x, y):
    """A point in the middle of a cell."""
    return 2 * x + 1.0, 2 * y + 1.0


def test_what_is_less_than_a_hundredth_of_the_mask_changes_sides_and_no_more():
    # 396 cells are inside, of which 3 are a speck, and 4 are none.
    wanted = square()
    wanted[2, 3], wanted[20, 20:23] = -1.0, 1.0
    np.testing.assert_array_equal(tidied(square(), SIZE, SIDE, [], []), wanted)


def test_an_island_that_was_clicked_and_a_hole_that_was_cut_out_stay():
    points = [at(3, 2), at(21, 20)]
    np.testing.assert_array_equal(tidied(square(), SIZE, SIDE, points, [1, 0]), square())
    # A click for more on a hole, and one for less on an island, keep neither.
    np.testing.assert_array_equal(tidied(square(), SIZE, SIDE, points, [0, 1]), tidied(square(), SIZE, SIDE, [], []))


@pytest.mark.parametrize("side", [80, 200, 37])
def test_every_pixel_that_was_seen_inside_and_clicked_is_inside_afterwards(side):
    """An island reaches beyond its cell, into pixels that lie between it and the next."""
    logits = np.full((SIDE, SIDE), -1.0, np.float32)
    logits[10:30, 10:30], logits[2, 3] = 2.0, 6.0
    size = (side, side)
    island = np.argwhere(logits_to_mask(logits, size, 160)[: side // 6, : side // 6])
    assert len(island)
    for y, x in island:
        point = (x + 0.3, y + 0.9)
        assert logits_to_mask(tidied(logits, size, 160, [point], [1]), size, 160)[y, x], point


def test_what_reaches_the_edge_of_the_photo_stays_it_may_go_on_beyond():
    logits = np.full((SIDE, SIDE), 2.0, np.float32)
    logits[0, 7] = logits[20, -1] = logits[20, 20] = -1.0
    assert np.argwhere(tidied(logits, SIZE, SIDE, [], []) < 0).tolist() == [[0, 7], [20, 39]]
    logits = square()
    logits[0, 0] = logits[20, -1] = 1.0
    assert (tidied(logits, SIZE, SIDE, [], [])[[0, 20], [0, -1]] > 0).all()


def test_the_padding_is_no_part_of_the_mask_and_the_photos_edge_is_before_it():
    """A photo of two to one: the lower half of the frame is padding, however inside the model believes it."""
    logits = np.full((SIDE, SIDE), -3.0, np.float32)
    logits[20:] = 2.0
    logits[5:8, 5:8] = 1.0
    np.testing.assert_array_equal(tidied(logits, (320, 640), 160, [], []), logits)
    logits = np.full((SIDE, SIDE), 2.0, np.float32)
    logits[19, 5] = logits[10, 5] = -1.0
    assert np.argwhere(tidied(logits, (320, 640), 160, [], []) < 0).tolist() == [[19, 5]]


def test_the_largest_part_stays_and_no_mask_becomes_empty():
    logits = np.full((SIDE, SIDE), -2.0, np.float32)
    logits[1:-1:2, 1:-1:2] = 1.0
    assert (tidied(logits, SIZE, SIDE, [], []) > 0).any()
    none = np.full((SIDE, SIDE), -2.0, np.float32)
    np.testing.assert_array_equal(tidied(none, SIZE, SIDE, [at(3, 3)], [1]), none)


def test_logits_of_exactly_0_in_a_hole_are_filled_too():
    logits = square()
    logits[20, 20:23] = 0.0
    assert (tidied(logits, SIZE, SIDE, [], [])[20, 20:23] > 0).all()


def test_what_was_given_stays_as_it_was():
    given = square()
    tidied(given, SIZE, SIDE, [], [])
    np.testing.assert_array_equal(given, square())


@pytest.mark.parametrize("case", CASES)
def test_flood_filling_cell_by_cell_comes_to_the_same(case):
    """A plain second writing of the rule."""
    side, (height, width) = case["side"], case["size"]
    logits = np.array(case["logits"], np.float32).reshape(side, side)
    # The photo as the encoder takes it, its shorter side rounded, and the cells that it takes up.
    frame = case["input_side"]
    fitted = {length: math.floor(length * frame / max(height, width) + 0.5) for length in (height, width)}
    rows, columns = (math.ceil(fitted[length] * side / frame) for length in (height, width))
    inside = logits[:rows, :columns] > 0

    def clicked(wanted):
        """Cells with a share in the clicked pixel, by what each cell's own logit does to it."""
        cells = set()
        for x, y, label in case["points"]:
            if label == wanted:
                cells |= {
                    tuple(map(int, cell)) for cell in np.argwhere(shares(int(y), height) * shares(int(x), width).T)
                }
        return cells

    def shares(pixel, length):
        pixel = min(pixel, length - 1)
        middle = np.clip((pixel + 0.5) * fitted[length] / length * side / frame - 0.5, 0, side - 1)
        return np.maximum(0, 1 - np.abs(np.arange(side) - middle))[:, None]

    def stays(part, value):
        on_edge = any(y in (0, rows - 1) or x in (0, columns - 1) for y, x in part)
        return on_edge or len(part) >= SPECK_SHARE * inside.sum() or part & clicked(value)

    islands = parts(inside, corners=True)
    largest = max(map(len, islands), default=0)
    wanted = inside.copy()
    for island in islands:
        if len(island) < largest and not stays(island, 1):
            for cell in island:
                wanted[cell] = False
    inside = wanted.copy()
    for hole in parts(~inside, corners=False):
        if not stays(hole, 0):
            for cell in hole:
                wanted[cell] = True
    points, labels = [(x, y) for x, y, _ in case["points"]], [label for *_, label in case["points"]]
    made = tidied(logits, (height, width), frame, points, labels) > 0
    np.testing.assert_array_equal(made[:rows, :columns], wanted)
    assert np.flatnonzero(made != (logits > 0)).tolist() == case["turned"]


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
