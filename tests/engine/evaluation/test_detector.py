"""Recall, precision and calibration of boxes: by hand, and beside COCO's own code."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from engine.detector.matching import match
from engine.evaluation.detector import (
    PhotoBoxes,
    average_precision,
    calibration_error,
    evaluate_detector,
    photo_boxes,
    precision_recall,
)


def photo(boxes, confidences, truth):
    truth = np.array(truth, float).reshape(-1, 4)
    areas = (truth[:, 2:] - truth[:, :2]).prod(axis=1)
    return PhotoBoxes(np.array(boxes, float).reshape(-1, 4), np.array(confidences, float), truth, areas)


A, B, FAR = [0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60]


def test_each_object_is_matched_once_by_the_best_box_on_it():
    boxes = np.array([A, [0, 0, 10, 9], [20, 0, 30, 6], FAR], float)
    truth = np.array([B, A], float)
    assert match(boxes, truth, 0.5).tolist() == [1, -1, 0, -1]
    assert match(boxes, truth, 0.7).tolist() == [1, -1, -1, -1]
    assert match(boxes, np.zeros((0, 4)), 0.5).tolist() == [-1] * 4
    assert match(np.zeros((0, 4)), truth, 0.5).tolist() == []


def test_precision_recall_and_average_precision_by_hand():
    photos = [photo([A, FAR], [0.9, 0.6], [A, B]), photo([B], [0.8], [B])]
    precision, recall = precision_recall(photos, 0.5)
    assert precision.tolist() == pytest.approx([1, 1, 2 / 3])  # 0.9 right, 0.8 right, 0.6 wrong
    assert recall.tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    # Precision 1 up to a recall of 2/3: at 0, 0.01 ... 0.66 of the 101 points.
    assert average_precision(precision, recall) == pytest.approx(67 / 101)
    assert average_precision(np.zeros(0), np.zeros(0)) == 0


def test_the_report_by_hand():
    photos = [photo([A, FAR], [0.9, 0.6], [A, B]), photo([[20, 0, 30, 7]], [0.8], [B])]
    report = evaluate_detector(photos, threshold=0.7)
    assert report["recall"] == pytest.approx({"0.5": 2 / 3, "0.75": 1 / 3})
    assert report["ar100"] == pytest.approx((5 * 2 / 3 + 5 * 1 / 3) / 10)  # IoU 0.7 counts at 0.5 to 0.7
    assert report["at_threshold"] == {"confidence": 0.7, "boxes": 2, "precision": 1.0, "recall": pytest.approx(2 / 3)}
    assert report["by_size"] == {"small": {"objects": 3, "recall": pytest.approx(2 / 3)}}
    assert report["curve"]["0.6"] == 1
    assert report["curve"]["0.7"] == 0
    low, high = report["intervals"]["recall 0.5"]
    assert (low, high) == (0.5, 1.0)  # the one photo alone, or the other


def test_without_boxes_there_is_no_precision():
    report = evaluate_detector([photo([], [], [A])], threshold=0.5)
    assert report["at_threshold"] == {"confidence": 0.5, "boxes": 0, "precision": None, "recall": 0.0}
    assert report["ap"]["0.5"] == report["recall"]["0.5"] == 0


def test_photos_without_an_object_have_no_recall_and_no_average_precision():
    report = evaluate_detector([photo([FAR], [0.9], []), photo([], [], [])], threshold=0.5)
    assert (report["images"], report["objects"], report["boxes"]) == (2, 0, 1)
    assert report["recall"] == report["recall_all_boxes"] == {"0.5": None, "0.75": None}
    assert report["ap"] == {"0.5": None, "0.75": None, "0.5:0.95": None}
    assert report["ar100"] is report["curve"] is None
    assert report["at_threshold"] == {"confidence": 0.5, "boxes": 1, "precision": 0.0, "recall": None}
    assert report["intervals"]["recall 0.5"] is None


def coco_figures(photos):
    """AP 0.5:0.95, AP 0.5, AP 0.75, AR@100, by pycocotools."""
    ground = {"images": [{"id": i} for i in range(len(photos))], "annotations": [], "categories": [{"id": 1}]}
    found = []
    for image, one in enumerate(photos):
        for box, area in zip(one.truth_M4, one.areas_M, strict=True):
            x0, y0, x1, y1 = box.tolist()
            ground["annotations"].append(
                {"id": len(ground["annotations"]) + 1, "image_id": image, "category_id": 1, "iscrowd": 0}
                | {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": float(area)}
            )
        for box, confidence in zip(one.boxes_N4, one.confidences_N, strict=True):
            x0, y0, x1, y1 = box.tolist()
            bbox = [x0, y0, x1 - x0, y1 - y0]
            found.append({"image_id": image, "category_id": 1, "bbox": bbox, "score": float(confidence)})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = ground
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), "bbox")
        evaluation.params.useCats = 0
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(evaluation.stats[i]) for i in (0, 1, 2, 8)]


def test_average_precision_and_recall_are_cocos():
    rng = np.random.default_rng(0)
    photos = []
    for _ in range(12):
        low = rng.uniform(0, 80, (9, 2))
        truth = np.concatenate([low, low + rng.uniform(5, 40, (9, 2))], axis=1)
        near = np.repeat(truth, 20, axis=0) + rng.normal(0, 3, (180, 4))
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        confidences = np.sort(rng.random(180))[::-1].round(2)  # some of them equal
        photos.append(photo(near[rng.permutation(180)], confidences, truth))
    report = evaluate_detector(photos)
    ours = [report["ap"]["0.5:0.95"], report["ap"]["0.5"], report["ap"]["0.75"], report["ar100"]]
    assert ours == pytest.approx(coco_figures(photos), abs=1e-9)
    assert 0.1 < ours[0] < 0.9


def test_the_calibration_error_by_hand():
    confidences = np.array([0.1, 0.1, 0.9, 0.9])
    error, table = calibration_error(confidences, np.array([False, False, True, False]), groups=2)
    assert [row["precision"] for row in table] == [0, 0.5]
    assert error == pytest.approx((0.1 + 0.4) / 2)
    assert calibration_error(np.zeros(0), np.zeros(0, bool)) == (0, [])


def test_an_empty_mask_is_no_object():
    mask = np.zeros((20, 20), bool)
    mask[2:5, 3:9] = True
    one = photo_boxes([((3.0, 2.0, 9.0, 5.0), 0.5)], [mask, np.zeros_like(mask)])
    assert one.truth_M4.tolist() == [[3, 2, 9, 5]]
    assert one.areas_M.tolist() == [18]
    assert evaluate_detector([one])["recall"]["0.75"] == 1
