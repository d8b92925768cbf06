"""The report's curves."""

import pytest

from backend.insights.simulation.pictures import _ticks


@pytest.mark.parametrize(
    ("highest", "wanted"),
    [
        (0, [0, 1]),
        (0.03, [0, 0.01, 0.02, 0.03]),
        (0.695, [0, 0.2, 0.4, 0.6, 0.8]),
        (9.4, [0, 2, 4, 6, 8, 10]),
        (23.6, [0, 5, 10, 15, 20, 25]),
        (1785, [0, 500, 1000, 1500, 2000]),
    ],
)
def test_an_axis_has_few_round_numbers_up_to_the_highest_value(highest, wanted):
    assert _ticks(highest) == wanted
