"""What a run tells, and its picture."""

import numpy as np
import pytest

from engine.training.plot import COLOURS, HEIGHT, LEFT, RIGHT, TOP, WIDTH, draw_curves, ticks
from engine.training.progress import Log


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 180_000, [0, 50_000, 100_000, 150_000]),
        (-0.3, 0.7, [-0.2, 0, 0.2, 0.4, 0.6]),
        (0, 6, [0, 2, 4, 6]),
    ],
)
def test_ticks_are_round_numbers(low, high, wanted):
    assert ticks(low, high) == pytest.approx(wanted)


def test_a_curve_is_drawn_where_its_values_are():
    picture = draw_curves({"loss": {"loss": [(0.0, 1.0), (50.0, 0.5), (100.0, 1.0)]}, "none": {"none": []}}, 100)
    assert picture.shape == (HEIGHT, WIDTH, 3)  # a panel without any point is left out
    ys, xs = np.nonzero((picture[:, : WIDTH - RIGHT + 4] == COLOURS[0]).all(axis=2))
    assert abs(ys.min() - TOP) <= 4
    assert abs(xs.min() - LEFT) <= 4
    assert abs(xs.max() - (WIDTH - RIGHT)) <= 4
    assert abs(xs[ys == ys.max()].mean() - (LEFT + WIDTH - RIGHT) / 2) <= 4  # the lowest value is in the middle


def test_a_value_that_is_no_number_does_not_spoil_the_picture():
    assert draw_curves({"loss": {"loss": [(1.0, float("nan")), (2.0, 1.0)]}}, 2).std() > 0


def test_a_resumed_log_forgets_what_will_be_told_again(tmp_path):
    file = tmp_path / "x.log.jsonl"
    log = Log(file)
    log.begin(0)
    for step in range(1, 6):
        log.add({"step": step, "loss": 1 / step})
    file.write_text(file.read_text() + '{"step": 6, "lo')  # killed while writing
    log = Log(file)
    log.begin(3)
    log.add({"step": 4, "miou": {"1": 0.5}})
    assert log.curve("loss") == [(1, 1), (2, 1 / 2), (3, 1 / 3)]
    assert log.curve("miou", "1") == [(4, 0.5)]
    assert len(file.read_text().splitlines()) == 4
    log.begin(0)
    assert file.read_text() == ""
