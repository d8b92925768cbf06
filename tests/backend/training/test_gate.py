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


def of_scenes(report: dict, scenes: list[str]) -> dict:
    for one, scene in zip(report["per_image"].values(), scenes, strict=True):
        one["group"] = scene
    return report


def test_groups_are_resampled_and_not_their_photos():
    """Of two scenes one gains more than the other loses: it is a loss only where the other is drawn twice, a time in four."""
    scenes = ["street"] * 4 + ["yard"] * 4
    live = of_scenes(report([0.5] * 8), scenes)
    candidate = of_scenes(report([0.6] * 4 + [0.45] * 4), scenes)
    verdict = decide(live, candidate, RULE)
    assert verdict.chance_better == pytest.approx(0.75, abs=0.02)
    assert (verdict.figures[0].low, verdict.figures[0].high) == (pytest.approx(-0.05), pytest.approx(0.1))
    assert verdict.decision == "refused"
    alone = decide(report([0.5] * 8), report([0.6] * 4 + [0.45] * 4), RULE)
    assert alone.chance_better > 0.75


def test_photos_of_too_few_scenes_are_too_little_evidence():
    twenty = GateRule(images_wanted=20, masks_wanted=40)
    scenes = ["street"] * 10 + ["yard"] * 10
    live, candidate = of_scenes(report([0.5] * 20), scenes), of_scenes(report([0.9] * 20), scenes)
    verdict = decide(live, candidate, twenty)
    assert (verdict.decision, verdict.chance_better) == ("insufficient_evidence", None)
    assert verdict.reason == "It wants photos of 8 more scenes: those of one group count as one."
    ten = [f"scene {n // 2}" for n in range(20)]
    assert decide(of_scenes(live, ten), of_scenes(candidate, ten), twenty).decision == "promoted"
    few = of_scenes(report([0.5] * 4), ["street"] * 4)
    assert decide(few, few, twenty).reason == (
        "The gate wants 16 more test photos and 32 more test masks before it decides. "
        "It wants photos of 9 more scenes: those of one group count as one."
    )


def test_of_ten_scenes_an_equal_candidate_is_promoted_hardly_more_often_than_confidence_allows():
    rng, scenes = np.random.default_rng(0), [f"scene {n // 2}" for n in range(20)]
    promoted = 0
    for _ in range(60):
        gains = np.repeat(rng.normal(0, 0.01, 10), 2)  # all photos of a scene fare alike
        live, candidate = report([0.5] * 20), report(list(0.5 + gains))
        verdict = decide(
            of_scenes(live, scenes), of_scenes(candidate, scenes), GateRule(images_wanted=20, masks_wanted=1)
        )
        promoted += verdict.decision == "promoted"
    assert promoted <= 60 * 0.2


def test_a_report_of_before_groups_were_told_has_them_from_the_other_one():
    scenes = ["street"] * 2 + ["yard"] * 2
    told = compare(report([0.5] * 4), of_scenes(report([0.6, 0.6, 0.45, 0.45]), scenes))
    assert (told[0].low, told[0].high) == (pytest.approx(-0.05), pytest.approx(0.1))


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
