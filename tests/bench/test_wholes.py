"""Wholes and parts of one photo."""

import numpy as np

from engine.masks import encode
from tests.bench.wholes import are_found, are_parts


def rectangle(y0, x0, y1, x1):
    mask = np.zeros((40, 40), bool)
    mask[y0:y1, x0:x1] = True
    return encode(mask)


def test_a_part_lies_in_a_larger_mask_to_nine_tenths():
    house, door = rectangle(0, 0, 20, 20), rectangle(5, 5, 15, 15)
    nearly, hardly = rectangle(10, 10, 20, 21), rectangle(10, 10, 20, 22)  # 10 of 11 columns, 10 of 12
    assert are_parts([house, door, nearly, hardly]).tolist() == [False, True, True, False]
    assert are_parts([house, house]).tolist() == [False, False]
    assert are_parts([]).tolist() == []


def test_a_mask_is_found_where_one_is_like_it_by_nine_tenths():
    house, door = rectangle(0, 0, 20, 20), rectangle(5, 5, 15, 15)
    assert are_found([house, door], [rectangle(0, 0, 20, 19)]).tolist() == [True, False]
    assert are_found([house, door], []).tolist() == [False, False]
    assert are_found([], [house]).tolist() == []
