"""Boxes."""

import numpy as np
from pycocotools import mask as coco

from engine.masks.boxes import box_iou, non_maximum_suppression, of_masks


def test_iou_of_boxes_is_cocos():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 50, (2, 40, 2))
    boxes = np.concatenate([corners[0], corners[0] + rng.uniform(1, 30, (40, 2))], axis=1)
    as_coco = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    wanted = coco.iou(as_coco[:25], as_coco[25:], [0] * 15)
    np.testing.assert_allclose(box_iou(boxes[:25], boxes[25:]), wanted, atol=1e-12)


def test_boxes_without_area_overlap_nothing():
    point = np.array([[3.0, 3, 3, 3]])
    assert box_iou(point, point) == 0
    assert box_iou(np.zeros((0, 4)), point).shape == (0, 1)


def test_a_masks_box_excludes_its_far_edge_and_an_empty_mask_has_none():
    mask = np.zeros((6, 9), bool)
    mask[2:4, 5:9] = True
    assert of_masks([mask, np.zeros_like(mask)]).tolist() == [[5, 2, 9, 4], [0, 0, 0, 0]]


def test_suppression_keeps_the_best_of_those_that_overlap_by_more_than_the_limit():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 8], [20, 0, 30, 10], [20, 0, 30, 10]], float)
    scores = np.array([0.9, 0.8, 0.7, 0.95, 0.95])
    # IoU of box 1 with box 0 is exactly a half, which is not more; of two equal boxes the earlier stays.
    assert non_maximum_suppression(boxes, scores, 0.5) == [3, 0, 1]
    assert non_maximum_suppression(boxes, scores, 0.49) == [3, 0]
    assert non_maximum_suppression(boxes, scores, 0.5, limit=2) == [3, 0]
    assert non_maximum_suppression(np.zeros((0, 4)), np.zeros(0), 0.5) == []


def test_a_box_that_is_not_accepted_suppresses_nothing_and_who_is_suppressed_is_not_asked():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [0, 1, 10, 10], [50, 50, 60, 60]])
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    asked = []
    kept = non_maximum_suppression(boxes, scores, 0.7, accept=lambda box: asked.append(box) or box != 0)
    assert kept == [1, 3]
    assert asked == [0, 1, 3]
    refused = np.delete(boxes, 0, axis=0), np.delete(scores, 0)
    assert non_maximum_suppression(*refused, 0.7) == [0, 2]
