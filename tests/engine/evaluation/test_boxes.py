"""evaluate boxes: from the objects' own boxes, and from a detector's."""

import json
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from engine.data.records import Record, read_records
from engine.errors import DataInvalid, PromptInvalid
from engine.evaluation.boxes import (
    Detection,
    Judged,
    average_precision,
    evaluate_boxes,
    image_ids_of,
    read_detections,
    summary,
)
from engine.inference.predictor import Predictor
from engine.masks import area, encode
from tests.engine.evaluation.conftest import Scripted, rectangle

LEFT, RIGHT = rectangle(10, 0, 50, 20), rectangle(10, 40, 50, 60)


def filled(prompt):
    """The whole box at first; all but a quarter of it when the mask comes back."""
    x0, y0, x1, y1 = (int(v) for v in prompt.box)
    if prompt.mask is not None:
        return [(rectangle(y0, x0, y0 + (y1 - y0) * 3 // 4, x1), 0.9)]
    return [(rectangle(y0, x0, y1, x1), 0.9), (rectangle(y0, x0, y0 + 1, x1), 0.1)]


@pytest.mark.parametrize(("passes", "wanted"), [(1, 1.0), (2, 0.75)])
def test_the_best_mask_is_fed_back_once_with_its_box(a_record, passes, wanted):
    model = Scripted(filled)
    report = evaluate_boxes(model, [a_record([LEFT, RIGHT])], passes=passes)
    assert report["miou"] == pytest.approx(wanted)
    assert report["by_size"] == {"small": {"objects": 2, "miou": pytest.approx(wanted)}}
    assert model.prompts[0].box == (0, 10, 20, 50)
    assert len(model.prompts) == 2 * passes
    if passes == 2:
        fed_back = model.prompts[2]
        assert fed_back.box == (0, 10, 20, 50)
        np.testing.assert_array_equal(fed_back.mask > 0, LEFT)


def test_another_number_of_passes_is_refused(a_record):
    with pytest.raises(PromptInvalid):
        evaluate_boxes(Scripted(filled), [a_record([LEFT])], passes=3)


def test_ignored_pixels_count_neither_way(a_record):
    lower_half = rectangle(30, 0, 64, 64)
    report = evaluate_boxes(Scripted(filled), [a_record([LEFT], ignored=lower_half)], passes=2)
    assert report["miou"] == 1  # the quarter that is missing lies in the part that does not count


def test_an_object_gets_the_mask_of_the_detectors_box_that_overlaps_it_most(a_record):
    found = {
        "photo": [
            Detection((0, 10, 10, 50), 0.5),  # half of LEFT
            Detection((0, 10, 20, 50), 0.4),  # LEFT
            Detection((-5, 60, 8, 90), 0.3),  # cut at the photo's edge
            Detection((70, 70, 90, 90), 0.9),  # outside: left out
        ]
    }
    model = Scripted(filled)
    report = evaluate_boxes(model, [a_record([LEFT, RIGHT])], passes=1, detections=found)
    assert report["boxes"] == "detector"
    assert report["miou"] == pytest.approx(0.5)  # nothing overlaps RIGHT
    assert [p.box for p in model.prompts] == [(0, 10, 10, 50), (0, 10, 20, 50), (0, 60, 8, 64)]
    # Best first: half of LEFT (IoU 0.5, right at 0.50 alone), LEFT itself (at 0.55 and on), nothing. Of two objects one is
    # found. At 0.50 precision 1 up to recall 1/2, and 1/2 at 0.55 and on; COCO reads it at 51 of 101 places.
    assert report["class_agnostic_ap"]["ap50"] == pytest.approx(51 / 101)
    assert report["class_agnostic_ap"]["ap"] == pytest.approx((1 + 9 * 0.5) / 10 * 51 / 101)


def test_a_detection_where_pixels_do_not_count_is_neither_right_nor_wrong_as_on_cocos_crowds(a_record):
    crowd, elsewhere = Detection((40, 0, 64, 20), 0.9), Detection((40, 50, 64, 64), 0.8)
    lower = rectangle(0, 40, 24, 64)

    def precision(*found, ignored=lower):
        detections = {"photo": [Detection((0, 10, 20, 50), 0.5), *found]}
        record = a_record([LEFT], ignored=ignored)
        return evaluate_boxes(Scripted(filled), [record], passes=1, detections=detections)["class_agnostic_ap"]["ap"]

    assert precision(crowd) == precision() == pytest.approx(1)
    assert precision(crowd, ignored=None) == pytest.approx(0.5)
    assert precision(elsewhere) == pytest.approx(0.5)
    assert precision(crowd, elsewhere) == pytest.approx(0.5)


def test_a_photos_masks_are_never_in_memory_at_once(tmp_path):
    (height, width), count = (2000, 3000), 100
    Image.new("RGB", (width, height)).save(tmp_path / "large.png")
    truth = rectangle(0, 0, 900, 900, (height, width))
    record = Record("large", tmp_path / "large.png", lambda: [truth])
    found = {"large": [Detection((n, n, n + 900, n + 900), 0.5) for n in range(count)]}
    model = Scripted(lambda prompt: [(rectangle(0, 0, 20, 20), 0.9)])
    tracemalloc.start()
    report = evaluate_boxes(model, [record], passes=1, detections=found)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report["miou"] > 0.9
    assert peak < 30 * height * width  # all together would be 100 times the photo's pixels


def test_average_precision_is_one_for_the_truth_and_unknown_where_there_is_nothing():
    of = average_precision(
        [Judged([(encode(mask), 1)], [], [(encode(mask), 1, score)]) for mask, score in ((LEFT, 0.9), (RIGHT, 0.8))]
    )
    assert of == {"ap": 1, "ap50": 1, "ap75": 1, "small": 1, "medium": None, "large": None}
    assert average_precision([Judged([(encode(LEFT), 1)], [], [])])["ap"] == 0
    assert average_precision([Judged([], [], [(encode(LEFT), 1, 0.9)])])["ap"] is None


def coco_of_two_categories(folder):
    """Two photos with cats (7) and dogs (3), a crowd of dogs among them; and a detector's results, some of the wrong class."""
    for name in ("a", "b"):
        Image.new("RGB", (64, 64)).save(folder / f"{name}.png")
    boxes = [
        (1, 7, 0, (0, 10, 20, 50)),
        (1, 3, 0, (40, 10, 60, 50)),
        (1, 3, 1, (0, 52, 60, 64)),
        (2, 7, 0, (5, 5, 50, 50)),
    ]
    annotations = [
        {"id": number, "image_id": image, "category_id": category, "iscrowd": is_crowd, "bbox": [0, 0, 0, 0]}
        | {"segmentation": (rle := encode(rectangle(y0, x0, y1, x1))), "area": area(rle)}
        for number, (image, category, is_crowd, (x0, y0, x1, y1)) in enumerate(boxes, start=1)
    ]
    photos = [{"id": n, "file_name": f"{name}.png", "height": 64, "width": 64} for n, name in ((1, "a"), (2, "b"))]
    categories = [{"id": 3, "name": "dog"}, {"id": 7, "name": "cat"}]
    content = {"images": photos, "annotations": annotations, "categories": categories}
    (folder / "set.json").write_text(json.dumps(content))
    found = [
        (1, 7, 0.9, (0, 10, 20, 48)),
        (1, 7, 0.8, (40, 10, 60, 50)),  # a dog, taken for a cat
        (1, 3, 0.7, (40, 12, 60, 50)),
        (1, 3, 0.95, (0, 52, 30, 64)),  # among the dogs
        (1, 7, 0.85, (30, 52, 60, 64)),  # among the dogs, but taken for a cat
        (2, 7, 0.6, (5, 8, 50, 50)),
        (2, 3, 0.5, (5, 5, 50, 50)),
    ]
    results = [
        {"image_id": image, "category_id": category, "score": score, "bbox": [x0, y0, x1 - x0, y1 - y0]}
        for image, category, score, (x0, y0, x1, y1) in found
    ]
    (folder / "results.json").write_text(json.dumps(results))
    return folder / "set.json", folder / "results.json", results


def test_with_categories_on_both_sides_the_class_aware_ap_is_that_of_cocos_own_evaluation(tmp_path):
    annotations, detections, results = coco_of_two_categories(tmp_path)
    found = read_detections(detections, image_ids_of(annotations))
    report = evaluate_boxes(Scripted(filled), read_records(annotations), passes=1, detections=found)

    truth = COCO(str(annotations))
    for result in results:
        x, y, width, height = result.pop("bbox")
        result["segmentation"] = encode(rectangle(y, x, y + height, x + width))
    plain = COCOeval(truth, truth.loadRes(results), "segm")
    plain.evaluate()
    plain.accumulate()
    plain.summarize()
    names = ("ap", "ap50", "ap75", "small", "medium", "large")
    wanted = {n: pytest.approx(v) if v >= 0 else None for n, v in zip(names, plain.stats[:6], strict=True)}
    assert report["class_aware_ap"] == wanted
    assert 0.1 < report["class_aware_ap"]["ap"] < report["class_agnostic_ap"]["ap"] < 1
    lines = summary(report)
    assert any(line.startswith("  mask AP, by class: ap ") for line in lines)
    assert any(line.startswith("  mask AP, all classes as one: ap ") for line in lines)


def test_where_one_side_has_no_categories_ap_is_class_agnostic_alone(tmp_path, a_record):
    annotations, detections, results = coco_of_two_categories(tmp_path)
    records, ids = read_records(annotations), image_ids_of(annotations)
    found = read_detections(detections, ids)
    named = evaluate_boxes(Scripted(filled), records, passes=1, detections=found)["class_agnostic_ap"]
    del results[0]["category_id"]
    detections.write_text(json.dumps(results))
    without = evaluate_boxes(Scripted(filled), records, passes=1, detections=read_detections(detections, ids))
    assert "class_aware_ap" not in without
    assert without["class_agnostic_ap"] == named
    known = {"photo": [Detection((0, 10, 20, 50), 0.5, 7)]}
    assert "class_aware_ap" not in evaluate_boxes(Scripted(filled), [a_record([LEFT])], passes=1, detections=known)


def test_a_results_file_is_read_by_name_by_number_and_through_its_json(tmp_path):
    file = tmp_path / "results.json"

    def write(image_id):
        file.write_text(json.dumps([{"image_id": image_id, "bbox": [1, 2, 3, 4], "score": 0.5, "category_id": 1}]))

    wanted = [Detection((1, 2, 4, 6), 0.5, 1)]
    write(73)
    assert read_detections(file) == {"73": wanted}
    write("000000000073")
    assert read_detections(file) == {"73": wanted}
    write(73)
    assert read_detections(file, {"street": 73}) == {"street": wanted}
    annotations = tmp_path / "set.json"
    annotations.write_text(json.dumps({"images": [{"id": 73, "file_name": "street.jpg"}], "annotations": []}))
    assert image_ids_of(annotations) == {"street": 73}
    assert image_ids_of(tmp_path) is None


def test_boxes_of_our_own_detector_are_read_from_the_folder_that_it_wrote(tmp_path, a_record):
    content = {
        "image": {},
        "boxes": [{"box": [0, 10, 20, 50], "confidence": 0.5}, {"box": [1, 2, 4, 6], "confidence": 0.1}],
    }
    (tmp_path / "0073_boxes.json").write_text(json.dumps(content))
    (tmp_path / "photo_boxes.json").write_text(json.dumps({"boxes": []}))
    wanted = [Detection((0, 10, 20, 50), 0.5), Detection((1, 2, 4, 6), 0.1)]
    found = read_detections(tmp_path)
    assert found == {"73": wanted, "photo": []}
    report = evaluate_boxes(Scripted(filled), [a_record([LEFT], name="0073")], passes=1, detections=found)
    assert report["miou"] == 1
    assert any(line.startswith("  mask AP, all classes as one: ap ") for line in summary(report))
    (tmp_path / "photo_boxes.json").write_text('{"boxes": [[1, 2]]}')
    with pytest.raises(DataInvalid, match=r"photo_boxes\.json is not what `detector detect` writes"):
        read_detections(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataInvalid, match=r"has no NAME_boxes\.json"):
        read_detections(tmp_path / "empty")


@pytest.mark.parametrize("content", ["{}x", '{"a": 1}', '[{"image_id": 1, "bbox": [1, 2, 3]}]', "[1]"])
def test_what_is_not_a_results_file_is_refused(tmp_path, content):
    file = tmp_path / "results.json"
    file.write_text(content)
    with pytest.raises(DataInvalid, match=r"results\.json is not a COCO results json"):
        read_detections(file)


def test_boxes_of_other_photos_are_refused(a_record):
    with pytest.raises(DataInvalid, match="none of the boxes"):
        evaluate_boxes(Scripted(filled), [a_record([LEFT])], detections={"other": [Detection((0, 0, 9, 9), 1.0)]})


def test_a_real_decoder_takes_its_mask_back(model, label_maps):
    report = evaluate_boxes(Predictor(model), read_records(label_maps)[:2])
    assert report["images"] == 2
    assert 0 <= report["miou"] <= 1
