"""evaluate clicks: where the simulated person clicks, and what is reported."""

import gc

import numpy as np
import pytest

from engine.data.records import read_records
from engine.errors import DataInvalid
from engine.evaluation.clicks import (
    AT_ONCE,
    MAX_CLICKS,
    Clicker,
    ObjectResult,
    click_through,
    evaluate_clicks,
    next_click,
    summarise,
    summary,
)
from engine.evaluation.pictures import Gallery
from engine.evaluation.statistics import calibration, interval_of_mean, iou
from engine.inference.predictor import EmbeddedPhoto, Predictor, Prompt
from tests.engine.evaluation.conftest import SIZE, Scripted, rectangle

NOWHERE = np.zeros(SIZE, bool)
PHOTO = EmbeddedPhoto(np.zeros(1), SIZE)


def test_the_click_goes_into_the_deeper_of_the_two_errors():
    truth = rectangle(10, 10, 31, 31)
    answer = rectangle(10, 10, 31, 24) | rectangle(40, 40, 51, 51)  # 7 columns missed; 11 x 11 too much
    assert next_click(truth, answer, clicked_HW=NOWHERE) == ((45.5, 45.5), 0)
    at, label = next_click(truth, rectangle(10, 10, 31, 20), clicked_HW=NOWHERE)  # 11 columns missed
    assert label == 1
    assert at[0] == 25.5


def test_two_errors_of_one_depth_get_a_background_click_as_in_ritm():
    missed, alarm = rectangle(0, 0, 5, 5), rectangle(20, 20, 25, 25)
    assert next_click(missed, alarm, clicked_HW=NOWHERE) == ((22.5, 22.5), 0)


def test_a_pixel_clicked_before_is_not_clicked_again_but_is_no_border_either():
    truth = rectangle(10, 10, 19, 19)
    clicked = NOWHERE.copy()
    clicked[14, 14] = True
    (x, y), _ = next_click(truth, NOWHERE, clicked_HW=clicked)
    assert max(abs(x - 14.5), abs(y - 14.5)) == 1  # a border there would have sent it out to a corner
    assert next_click(truth, truth, clicked_HW=NOWHERE) is None
    assert next_click(clicked, NOWHERE, clicked_HW=clicked) is None


def test_ignored_pixels_are_not_clicked_and_count_neither_way():
    truth, ignored = rectangle(10, 10, 31, 31), rectangle(0, 20, 64, 64)
    (x, _), _ = next_click(truth, NOWHERE, clicked_HW=NOWHERE, ignored_HW=ignored)
    assert x in (14.5, 15.5)  # the middle of the ten columns that count
    assert iou(rectangle(10, 10, 31, 20), truth, ignored) == 1.0
    assert iou(rectangle(10, 10, 31, 15), truth, ignored) == 0.5


def test_a_random_pick_begins_anywhere_in_the_object_and_is_the_same_with_the_same_seed():
    truth = rectangle(10, 10, 40, 40)
    firsts = set()
    for seed in range(8):
        model = Scripted(lambda prompt: [(rectangle(10, 10, 40, 30), 0.9)])
        for _ in range(2):
            click_through(model, PHOTO, [Clicker(truth, clicks=2, pick="random", rng=np.random.default_rng(seed))])
        once, again = model.prompts[:2], model.prompts[2:]
        assert [p.points for p in once] == [p.points for p in again]
        (x, y), second = once[1].points
        assert truth[int(y), int(x)]
        assert second[0] in (34.5, 35.5)  # the middle of what is missing
        firsts.add((x, y))
    assert len(firsts) == 8


def test_with_every_pick_random_each_click_is_in_an_error():
    truth, answer = rectangle(10, 10, 40, 40), rectangle(20, 20, 50, 50)
    model = Scripted(lambda prompt: [(answer, 0.9)])
    click_through(model, PHOTO, [Clicker(truth, clicks=9, pick="random-every", rng=np.random.default_rng(1))])
    points, labels = model.prompts[-1].points, model.prompts[-1].labels
    for (x, y), label in zip(points[1:], labels[1:], strict=True):
        assert (truth ^ answer)[int(y), int(x)]
        assert truth[int(y), int(x)] == bool(label)
    assert {0, 1} == set(labels)


def test_each_figure_is_what_a_script_of_answers_makes_it(a_record):
    """A decoder whose nth answer has IoU n tenths, with a mask twice as good among the others."""
    truth = rectangle(0, 0, 40, 50)

    def grown(tenths):
        return rectangle(0, 0, 4 * tenths, 50)

    def answer(prompt: Prompt):
        clicks = len(prompt.points)
        shown = [(grown(clicks), 0.35)]
        return [*shown, (grown(min(10, 2 * clicks)), 0.25)] if prompt.all_masks else shown

    report = evaluate_clicks(Scripted(answer), [a_record([truth])])
    assert report["miou"] == pytest.approx({"1": 0.1, "2": 0.2, "3": 0.3, "5": 0.5, "9": 0.9})
    assert report["oracle"] == pytest.approx({"1": 0.2, "2": 0.4, "3": 0.6, "5": 1.0, "9": 1.0})
    assert (report["noc85"], report["noc90"], report["failures90"]) == (9, 9, 0)
    assert report["by_size"] == {"medium": {"objects": 1, "1": pytest.approx(0.1), "5": pytest.approx(0.5)}}
    assert report["calibration"] == [
        {"from": 0.2, "to": 0.3, "count": 1, "predicted": pytest.approx(0.25), "true": pytest.approx(0.2)},
        {"from": 0.3, "to": 0.4, "count": 1, "predicted": pytest.approx(0.35), "true": pytest.approx(0.1)},
    ]


def test_who_never_reaches_a_quality_counts_as_twenty_clicks(a_record):
    truth = rectangle(0, 0, 40, 50)
    report = evaluate_clicks(Scripted(lambda prompt: [(rectangle(0, 0, 35, 50), 0.5)]), [a_record([truth])])
    assert (report["noc85"], report["noc90"], report["failures90"]) == (1, MAX_CLICKS, 1)


def test_of_nine_clicks_asked_a_failure_counts_as_nine_and_not_as_one_who_needs_twenty(a_record):
    """Of three objects one is there at the first click, one at the ninth, one never: 1, 9 and 9."""
    soon, late = ObjectResult((0.95,), (0.95,), 10), ObjectResult((0.5,) * 8 + (0.91,), (0.5,) * 9, 10)
    never = ObjectResult((0.5,) * 9, (0.5,) * 9, 10)
    report = summarise({"a": [soon, late], "b": [never]}, 0.0, clicks=9)
    assert (report["max_clicks"], report["failures90"]) == (9, 1)
    assert report["noc85"] == report["noc90"] == pytest.approx((1 + 9 + 9) / 3)
    assert [report["per_image"][name]["noc90"] for name in "ab"] == [5, 9]
    assert report["per_image"]["b"]["by_size"]["small"]["noc90"] == 9
    assert report["intervals"]["noc90"][1] == 9
    assert "never 90%: 1, counted as 9 clicks" in "\n".join(summary(report))
    # RITM asks twenty.
    assert summarise({"a": [soon, late], "b": [never]}, 0.0)["noc90"] == pytest.approx((1 + 9 + 20) / 3)
    truth = rectangle(0, 0, 40, 50)
    report = evaluate_clicks(Scripted(lambda prompt: [(rectangle(0, 0, 35, 50), 0.5)]), [a_record([truth])], clicks=9)
    assert (report["noc85"], report["noc90"], report["failures90"], report["max_clicks"]) == (1, 9, 1, 9)


def test_a_click_that_harms_is_counted():
    results = {"a": [ObjectResult((0.5, 0.8, 0.7, 0.9), (0.5,), 10)], "b": [ObjectResult((0.5, 0.46), (0.5,), 10)]}
    assert summarise(results, 0.0)["worse_by_a_click"] == pytest.approx(1 / 4)


def test_the_uncertain_band_of_a_label_map_folder_is_left_out(label_maps):
    (label_maps / "masks_alt").mkdir()
    whole = (label_maps / "masks" / "0.png").read_bytes()
    (label_maps / "masks_alt" / "0.png").write_bytes(whole)  # nothing in it counts
    records = read_records(label_maps)
    assert [record.read_ignored() is not None for record in records] == [True, False, False, False]
    report = evaluate_clicks(Scripted(lambda prompt: [(np.ones((64, 64), bool), 0.5)]), records[:1], clicks=1)
    assert report["objects"] == 0
    assert report["calibration"] == []


def test_a_mask_of_another_size_than_its_photo_is_refused(a_record):
    record = a_record([rectangle(0, 0, 5, 5)])
    other = a_record([rectangle(0, 0, 5, 5, size=(8, 8))], "other")
    mixed = type(record)("mixed", record.image, other.read_masks)
    with pytest.raises(DataInvalid, match="mixed: a mask is 8 x 8 px, its photo 64 x 64 px"):
        evaluate_clicks(Scripted(lambda prompt: []), [mixed])


def test_a_real_decoder_gives_the_other_masks_only_where_they_are_asked_for(model):
    predictor = Predictor(model)
    photo = predictor.embed(np.zeros((48, 64, 3), np.uint8))
    points, labels = ((30.5, 20.5), (10.5, 9.5)), (1, 0)
    one = predictor.predict(photo, Prompt(points, labels))
    every = predictor.predict(photo, Prompt(points, labels, all_masks=True))
    assert (len(one.logits_MHW), len(every.logits_MHW)) == (1, 4)
    np.testing.assert_array_equal(one.logits_MHW[0], every.logits_MHW[0])
    assert len(predictor.predict(photo, Prompt(points[:1], (1,), all_masks=True)).logits_MHW) == 3


def test_calibration_has_a_row_for_each_tenth_and_its_ends_take_the_rest():
    rows = calibration([-0.2, 0.05, 0.95, 1.3, 0.5], [0.0, 0.2, 0.9, 1.0, 0.4])
    assert [(row["from"], row["count"], row["true"]) for row in rows] == [(0.0, 2, 0.1), (0.5, 1, 0.4), (0.9, 2, 0.95)]


def test_an_interval_resamples_photos_not_objects():
    alike = {"a": [0.0] * 50, "b": [1.0] * 50}
    assert interval_of_mean(alike) == [0.0, 1.0]  # of 100 objects it would be near [0.4, 0.6]
    assert interval_of_mean({"a": [0.5, 0.5], "b": [0.5]}) == [0.5, 0.5]


def test_photos_of_one_group_are_drawn_together_and_one_group_has_no_interval():
    """Two groups of means 0.25 and 0.75: a quarter of the draws has the one twice, a quarter the other."""
    values = {"a": [0.0], "b": [0.5], "c": [0.5], "d": [1.0]}
    assert interval_of_mean(values, {"a": "street", "b": "street", "c": "yard", "d": "yard"}) == [0.25, 0.75]
    assert interval_of_mean(values)[0] < 0.25
    assert interval_of_mean(values, dict.fromkeys("abcd", "street")) is None
    results = {name: [ObjectResult((iou,), (iou,), 10)] for name, (iou,) in values.items()}
    report = summarise(results, 0.0, group_of=dict.fromkeys("abc", "street"))
    assert (report["images"], report["groups"]) == (4, 2)
    assert [report["per_image"][name].get("group") for name in "ad"] == ["street", None]


def test_one_photo_has_no_interval(a_record):
    assert interval_of_mean({}) is None
    assert interval_of_mean({"a": [0.1, 0.9], "b": []}) is None
    truth = rectangle(0, 0, 40, 50)
    report = evaluate_clicks(Scripted(lambda prompt: [(truth, 0.5)]), [a_record([truth])])
    assert set(report["intervals"].values()) == {None}
    assert "1.000   [–]   oracle" in "\n".join(summary(report))


def test_of_a_photo_with_many_objects_no_more_are_held_than_are_clicked_in_step(a_record):
    truths, held = [rectangle(n, n, n + 9, n + 12) for n in range(3 * AT_ONCE + 1)], []

    def answer(prompt: Prompt):
        held.append(sum(type(one) is Clicker for one in gc.get_objects()))
        return [(truths[0], 0.5)]

    report = evaluate_clicks(Scripted(answer), [a_record(truths)], clicks=1, each=True)
    assert max(held) <= AT_ONCE
    assert [one["iou"] for one in report["objects_of"]["photo"]] == [
        [round(iou(truths[0], truth), 4)] for truth in truths
    ]


def test_pictures_show_the_worst_and_the_best_case(tmp_path, a_record):
    wanted = [rectangle(0, 0, 20, 20), rectangle(30, 30, 60, 60)]
    gallery = Gallery(keep=1)
    evaluate_clicks(Scripted(lambda prompt: [(wanted[0], 0.5)]), [a_record(wanted)], clicks=1, gallery=gallery)
    assert (gallery.best[0].iou, gallery.worst[0].iou) == (1.0, 0.0)
    assert [path.name for path in gallery.write(tmp_path / "out")] == ["worst.jpg", "best.jpg"]
    assert (tmp_path / "out" / "worst.jpg").stat().st_size > 1000


def test_objects_clicked_in_step_get_the_clicks_and_figures_of_each_alone(model, a_record):
    """With a real decoder: objects that end early leave the others' prompts as they were."""
    predictor = Predictor(model)
    photo = predictor.embed(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    truths = [rectangle(2 * n, n, 2 * n + 9 + n, n + 12) for n in range(AT_ONCE + 3)]
    together = [Clicker(truth, clicks=4) for truth in truths]
    click_through(predictor, photo, together)
    for truth, one in zip(truths, together, strict=True):
        alone = Clicker(truth, clicks=4)
        click_through(predictor, photo, [alone])
        assert (one.points, one.labels) == (alone.points, alone.labels)
        assert one.ious == pytest.approx(alone.ious, abs=1e-3)
