"""The detector's network, its targets and its losses."""

import numpy as np
import pytest
import torch

from engine.detector.head import DetectorHead, Prediction
from engine.detector.losses import detection_loss, generalised_iou, quality_focal_loss
from engine.detector.targets import Targets, assign, size_class, together
from engine.errors import DetectorInvalid
from engine.masks.boxes import box_iou

# 8 cells of 8 px; size classes end at 16 and 32 px.
CONFIG = DetectorHead.Config(channels=6, grid=8, image_side=64, hidden=8, dilations=(1, 2), size_bounds=(0.25, 0.5))
WHOLE_FRAME = torch.tensor([64.0, 64.0])


def targets_of(boxes, *, complete=True, photo=WHOLE_FRAME, weights=None):
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return assign(boxes, torch.ones(len(boxes)) if weights is None else weights, photo, complete, CONFIG)


def head_of(seed=0):
    torch.manual_seed(seed)
    return DetectorHead(CONFIG)


def test_it_is_small_whatever_the_encoder():
    for channels, grid, side in ((128, 48, 384), (256, 64, 1024)):
        head = DetectorHead(DetectorHead.Config(channels=channels, grid=grid, image_side=side))
        assert sum(p.numel() for p in head.parameters()) < 1_000_000
        with torch.inference_mode():
            answer = head(torch.zeros(2, channels, grid, grid), torch.full((2, 2), float(side)))
        assert answer.logits_BKGG.shape == (2, 3, grid, grid)
        assert answer.boxes_BKGG4.shape == (2, 3, grid, grid, 4)


def test_an_untrained_head_expects_objects_of_each_class_at_the_cells_own_place():
    answer = head_of()(torch.zeros(1, 6, 8, 8), WHOLE_FRAME[None])
    x0, y0, x1, y1 = answer.boxes_BKGG4[0, 1, 2, 5].tolist()  # row 2, column 5: its centre is (44, 20)
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == (pytest.approx(44, abs=3), pytest.approx(20, abs=3))
    sides = (answer.boxes_BKGG4[0, :, 4, 4, 2] - answer.boxes_BKGG4[0, :, 4, 4, 0]).tolist()
    assert sides == pytest.approx(CONFIG.class_sides, rel=0.2)
    assert size_class(torch.tensor([[0.0, 0, s, s] for s in CONFIG.class_sides]), CONFIG).tolist() == [0, 1, 2]
    assert answer.logits_BKGG.sigmoid().max() < 0.05


def test_an_embedding_of_another_shape_is_refused():
    with pytest.raises(DetectorInvalid, match=r"reads embeddings of \(6, 8, 8\), not \(5, 8, 8\)"):
        head_of()(torch.zeros(1, 5, 8, 8), WHOLE_FRAME[None])
    with pytest.raises(DetectorInvalid, match="size bounds rise"):
        DetectorHead(DetectorHead.Config(channels=1, grid=8, image_side=64, size_bounds=(0.5, 0.2)))


def test_a_whole_and_its_part_with_the_same_middle_are_two_answers_of_one_cell():
    whole, part = [0.0, 0, 56, 56], [24.0, 24, 32, 32]  # both about (28, 28), the centre of cell 3, 3
    found = targets_of([whole, part])
    assert found.weight_BKGG[0, :, 3, 3].gt(0).tolist() == [True, False, True]
    assert found.boxes_BKGG4[0, 0, 3, 3].tolist() == part
    assert found.boxes_BKGG4[0, 2, 3, 3].tolist() == whole


def test_of_two_objects_of_one_class_the_smaller_gets_the_cell():
    found = targets_of([[16.0, 16, 40, 40], [18.0, 18, 38, 38]])
    assert found.boxes_BKGG4[0, 1, 3, 3].tolist() == [18, 18, 38, 38]


def test_an_object_smaller_than_a_cell_and_off_its_centre_has_its_cell():
    speck = [25.0, 17.0, 29.0, 22.0]  # within cell (row 2, column 3), whose centre (28, 20) is not in its middle
    found = targets_of([speck])
    assert found.weight_BKGG[0, 0].nonzero().tolist() == [[2, 3]]


def test_an_objects_cells_together_weigh_the_square_root_of_their_number_times_its_weight():
    found = targets_of([[0.0, 0, 64, 64]], weights=torch.tensor([0.5]))
    cells = int((found.weight_BKGG > 0).sum())
    assert cells == 4
    assert float(found.weight_BKGG.sum()) == pytest.approx(0.5 * cells**0.5)


def test_around_an_objects_middle_nothing_is_taught_and_far_from_it_it_is_background():
    found = targets_of([[0.0, 0, 64, 64]])
    large = found.negative_BKGG[0, 2]
    assert not large[2:6, 2:6].any()
    assert large[0, 0]
    assert found.negative_BKGG[0, 0].all()  # nothing small is there


def test_near_a_bound_between_classes_the_neighbour_is_left_alone():
    found = targets_of([[16.0, 16, 46, 46]])  # 30 px, the bound is 32
    assert found.weight_BKGG[0, 1].any()
    assert not found.weight_BKGG[0, 2].any()
    assert not found.negative_BKGG[0, 2, 3, 3]
    assert found.negative_BKGG[0, 0, 3, 3]


def test_padding_teaches_nothing():
    found = targets_of([], photo=torch.tensor([40.0, 64.0]))
    assert found.negative_BKGG[0, :, :5].all()
    assert not found.negative_BKGG[0, :, 5:].any()


def gradient_of_loss(targets):
    prediction = head_of()(
        torch.randn(len(targets.complete_B), 6, 8, 8), WHOLE_FRAME.expand(len(targets.complete_B), 2)
    )
    logits = prediction.logits_BKGG.detach().requires_grad_()
    boxes = prediction.boxes_BKGG4.detach().requires_grad_()
    detection_loss(Prediction(logits, boxes), targets).total.backward()
    return logits.grad, boxes.grad


def test_in_an_incomplete_photo_the_gradient_on_objectness_is_exactly_zero_where_nothing_is_labelled():
    objects = [[8.0, 8, 28, 28], [40.0, 40, 46, 46]]
    complete, incomplete = targets_of(objects), targets_of(objects, complete=False)
    logits, boxes = gradient_of_loss(together([complete, incomplete]))
    is_unlabelled = incomplete.weight_BKGG[0] == 0
    assert (logits[1][is_unlabelled] == 0).all()
    assert (boxes[1][is_unlabelled] == 0).all()
    # while its labelled objects do teach, and a complete photo's background too
    assert (boxes[1][~is_unlabelled].abs().sum(-1) > 0).all()
    assert (logits[0][complete.negative_BKGG[0]] > 0).all()
    assert (logits[0][~is_unlabelled] != 0).all()


def test_what_an_incomplete_photo_happens_to_label_does_not_raise_the_score_there():
    objects = [[8.0, 8, 28, 28]]
    logits, _ = gradient_of_loss(together([targets_of(objects), targets_of(objects, complete=False)]))
    assert (logits[1] == 0).all()


def test_a_batch_without_objects_is_all_background():
    logits, boxes = gradient_of_loss(targets_of([]))
    assert (logits > 0).all()
    assert (boxes == 0).all()


def test_generalised_iou_by_hand_and_iou_as_in_numpy():
    # Two unit squares, a unit apart: nothing in common, hull 3, union 2.
    iou, giou = generalised_iou(torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[2.0, 0, 3, 1]]))
    assert (float(iou), float(giou)) == (0, pytest.approx(-1 / 3))
    # One inside the other: the hull is the larger one.
    iou, giou = generalised_iou(torch.tensor([[0.0, 0, 4, 4]]), torch.tensor([[1.0, 1, 3, 3]]))
    assert float(iou) == float(giou) == 0.25
    low = torch.rand(30, 2)
    boxes, others = torch.cat([low, low + torch.rand(30, 2)], 1), torch.cat([low.flip(0), low.flip(0) + 1], 1)
    wanted = np.diagonal(box_iou(boxes.numpy(), others.numpy()))
    np.testing.assert_allclose(generalised_iou(boxes, others)[0], wanted, atol=1e-5)


def test_quality_focal_loss_is_the_published_formula():
    logit, quality = torch.tensor([0.4, -1.0]), torch.tensor([0.8, 0.0])
    p = torch.sigmoid(logit)
    wanted = (quality - p).abs() ** 2 * -((1 - quality) * (1 - p).log() + quality * p.log())
    torch.testing.assert_close(quality_focal_loss(logit, quality), wanted)
    assert float(quality_focal_loss(torch.tensor(0.0), torch.tensor(0.5))) == 0  # said just right


def test_targets_of_several_photos_lie_along_the_batch():
    assert isinstance(together([targets_of([]), targets_of([])]), Targets)
    assert together([targets_of([]), targets_of([], complete=False)]).complete_B.tolist() == [True, False]
