"""The gate's arithmetic, on cases that can be worked out by hand."""

import numpy as np
import pytest

from backend.training.gate import GateRule, compare, decide

RULE = GateRule(images_wanted=4, masks_wanted=8)


def report(ious: list[float], objects: int = 2, noc: float = 6.0) -> dict:
    """Each photo has the same mIoU at 1, 3 and 5 clicks."""
    per_image = {f"photo {n}": photo(iou, objects, noc) for n, iou in enumerate(ious)}
    return {"images": len(ious), "objects": objects * len(ious), "per_image": per_image}


def photo(iou: float, objects: int, noc: float = 6.0, gap: float = 0.1, **by_size: dict) -> dict:
    figures = {"objects": objects, "miou": {"1": iou, "3": iou, "5": iou}, "oracle": {"1": iou + gap}, "noc90": noc}
    return {**figures, "by_size": by_size}


def test_better_on_every_photo_is_promoted():
    verdict = decide(report([0.5, 0.6, 0.7, 0.8]), report([0.55, 0.65, 0.75, 0.85]), RULE)
    assert verdict.decision == "promoted"
    assert verdict.chance_better == 1.0
    figure = verdict.figures[0]
    assert (figure.live, figure.candidate) == (pytest.approx(0.65), pytest.approx(0.70))
    assert (figure.low, figure.high) == (pytest.approx(0.05), pytest.approx(0.05))


def test_the_same_figures_are_refused():
    verdict = decide(report([0.5, 0.6, 0.7, 0.8]), report([0.5, 0.6, 0.7, 0.8]), RULE)
    assert verdict.decision == "refused"
    assert verdict.chance_better == 0.0


def test_worse_is_refused_and_the_figure_is_named():
    verdict = decide(report([0.5, 0.6, 0.7, 0.8]), report([0.4, 0.5, 0.6, 0.7]), RULE)
    assert verdict.decision == "refused"
    assert verdict.reason == "mIoU after 1 click went from 0.650 to 0.550; worse by 0.02 at most is allowed."


def test_more_clicks_to_90_percent_are_refused_whatever_the_mious_say():
    verdict = decide(report([0.5] * 4, noc=5), report([0.6] * 4, noc=6), RULE)
    assert verdict.decision == "refused"
    assert verdict.reason == "clicks to 90% IoU went from 5.000 to 6.000; worse by 0.5 clicks at most is allowed."


def test_a_gain_on_one_photo_of_many_is_not_enough():
    live = [0.5] * 10
    candidate = [0.6] + [0.495] * 9
    verdict = decide(report(live), report(candidate), RULE)
    assert np.mean(candidate) > np.mean(live)
    assert verdict.decision == "refused"
    # Without the one photo in a resample, (9/10)^10 = 35% of them, there is only loss.
    assert verdict.chance_better == pytest.approx(1 - 0.9**10, abs=0.02)


def test_too_little_evidence_says_what_is_missing_and_decides_nothing():
    verdict = decide(report([0.5, 0.6]), report([0.9, 0.9]), RULE)
    assert verdict.decision == "insufficient_evidence"
    assert verdict.reason == "The gate wants 2 more test photos and 4 more test masks before it decides."


def test_one_photo_has_no_interval_and_decides_nothing_whatever_is_wanted():
    rule = GateRule(images_wanted=1, masks_wanted=1)
    verdict = decide(report([0.5]), report([0.9]), rule)
    assert (verdict.decision, verdict.chance_better) == ("insufficient_evidence", None)
    assert verdict.reason == "The gate wants 1 more test photo before it decides."
    assert {(figure.low, figure.high) for figure in verdict.figures} == {(None, None)}
    assert decide(report([0.5, 0.6]), report([0.9, 0.9]), rule).decision == "promoted"


def test_a_size_that_one_photo_alone_has_is_shown_without_an_interval():
    live, candidate = report([0.5] * 4), report([0.6] * 4)
    for one, iou in ((live, 0.5), (candidate, 0.6)):
        one["per_image"]["photo 0"]["by_size"] = {"small": photo(iou, 2)}
    small = [figure for figure in compare(live, candidate) if figure.size == "small"]
    assert [figure.difference for figure in small if figure.key == "miou_1"] == [pytest.approx(0.1)]
    assert {(figure.low, figure.high) for figure in small} == {(None, None)}


def test_no_evidence_at_all_is_insufficient_too():
    nothing = {"images": 0, "objects": 0, "per_image": {}}
    verdict = decide(nothing, nothing, RULE)
    assert (verdict.decision, verdict.figures) == ("insufficient_evidence", ())


def test_photos_count_by_their_objects():
    live, candidate = report([0.5, 0.5]), report([0.6, 0.9])
    for one in (live, candidate):
        one["per_image"]["photo 0"]["objects"] = 9
        one["per_image"]["photo 1"]["objects"] = 1
    assert compare(live, candidate)[0].candidate == pytest.approx(0.63)


def test_reports_of_different_photos_are_not_compared():
    with pytest.raises(ValueError, match="not of the same photos"):
        decide(report([0.5] * 4), report([0.5] * 5), RULE)


def with_sizes(small: float, large: float, objects: int = 30) -> dict:
    photos = {
        f"photo {n}": photo((small + large) / 2, 2 * objects, small=photo(small, objects), large=photo(large, objects))
        for n in range(4)
    }
    return {"images": 4, "objects": 8 * objects, "per_image": photos}


def test_every_figure_is_shown_of_all_objects_and_of_each_size_that_there_is():
    figures = compare(with_sizes(0.5, 0.7), with_sizes(0.6, 0.8))
    assert {figure.size: figure.objects for figure in figures} == {"all": 240, "small": 120, "large": 120}
    keys = ["miou_1", "miou_3", "miou_5", "noc90", "oracle_gap"]
    assert [figure.key for figure in figures] == keys * 3
    small = next(figure for figure in figures if (figure.key, figure.size) == ("miou_1", "small"))
    assert (small.live, small.candidate) == (pytest.approx(0.5), pytest.approx(0.6))


def test_a_gain_on_the_whole_does_not_buy_a_loss_on_small_objects():
    verdict = decide(with_sizes(0.5, 0.5), with_sizes(0.4, 0.9), RULE)
    assert verdict.decision == "refused"
    assert verdict.reason.startswith("mIoU after 1 click, small objects went from 0.500 to 0.400;")


def test_a_size_with_few_masks_is_shown_and_not_judged():
    verdict = decide(with_sizes(0.5, 0.5, objects=4), with_sizes(0.4, 0.9, objects=4), RULE)
    assert verdict.decision == "promoted"
    assert "small" in {figure.size for figure in verdict.figures}


def test_a_wider_oracle_gap_is_refused_the_model_ranks_its_masks_worse():
    live, candidate = report([0.5] * 4), report([0.55] * 4)
    for one in candidate["per_image"].values():
        one["oracle"]["1"] += 0.2
    verdict = decide(live, candidate, RULE)
    assert verdict.decision == "refused"
    assert verdict.reason.startswith("oracle gap went from 0.100 to 0.300;")


def test_the_rule_decides_what_is_a_loss():
    live, candidate = report([0.5, 0.6, 0.7, 0.8]), report([0.52, 0.62, 0.72, 0.82])
    assert decide(live, candidate, RULE).decision == "promoted"
    strict = GateRule(images_wanted=4, masks_wanted=8, min_gain=0.05)
    assert decide(live, candidate, strict).decision == "refused"


def test_drawn_in_parts_the_resamples_are_the_same(monkeypatch):
    rng = np.random.default_rng(3)
    live, candidate = report(list(rng.random(30))), report(list(rng.random(30)))
    at_once = decide(live, candidate, RULE)
    monkeypatch.setattr("backend.training.gate.DRAWN_AT_ONCE", 1001)
    assert decide(live, candidate, RULE) == at_once
