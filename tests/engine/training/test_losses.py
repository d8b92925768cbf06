"""The published loss."""

import pytest
import torch
from torch.nn import functional as F

from engine.training.losses import dice_loss, focal_loss, pass_loss

torch.manual_seed(0)
TRUTH = (torch.rand(2, 1, 8, 8) > 0.6).float()


def test_only_the_smallest_of_three_losses_is_backpropagated():
    logits = torch.randn(2, 3, 8, 8)
    logits[0, 1] = 6 * (2 * TRUTH[0, 0] - 1)  # the best answer to the first prompt
    logits[1, 2] = 6 * (2 * TRUTH[1, 0] - 1)  # and to the second
    logits.requires_grad_()
    pass_loss(logits, torch.zeros(2, 3), TRUTH).mask.backward()
    touched = logits.grad.abs().sum(dim=(2, 3)) > 0
    assert touched.tolist() == [[False, True, False], [False, False, True]]


def test_the_iou_head_learns_from_all_three():
    predicted = torch.zeros(2, 3, requires_grad=True)
    logits = torch.randn(2, 3, 8, 8)
    pass_loss(logits, predicted, TRUTH).iou.backward()
    assert (predicted.grad != 0).all()


def test_focal_is_20_to_dice_1():
    logits = torch.randn(2, 1, 8, 8)
    result = pass_loss(logits, torch.zeros(2, 1), TRUTH).mask
    torch.testing.assert_close(result, (20 * focal_loss(logits, TRUTH) + dice_loss(logits, TRUTH)).mean())


def test_focal_loss_is_the_published_formula():
    logit, truth = torch.tensor([[[[0.7, -1.2]]]]), torch.tensor([[[[1.0, 0.0]]]])
    p = torch.sigmoid(logit)[0, 0, 0]
    wanted = (0.25 * (1 - p[0]) ** 2 * -p[0].log() + 0.75 * p[1] ** 2 * -(1 - p[1]).log()) / 2
    torch.testing.assert_close(focal_loss(logit, truth)[0, 0], wanted)


def test_dice_is_zero_for_the_right_answer_and_one_for_a_wrong_one():
    right = 50 * (2 * TRUTH - 1)
    assert dice_loss(right, TRUTH).max() == pytest.approx(0, abs=1e-6)
    assert dice_loss(-right, TRUTH).min() > 0.95


def test_the_true_iou_is_of_the_masks_cut_at_0():
    logits = torch.tensor([[[[1.0, 1.0, -1.0, -1.0]]]])
    truth = torch.tensor([[[[1.0, 0.0, 1.0, 0.0]]]])
    result = pass_loss(logits, torch.tensor([[1 / 3]]), truth)
    assert result.best_iou == pytest.approx(1 / 3)
    torch.testing.assert_close(result.iou, F.mse_loss(torch.tensor(0.0), torch.tensor(0.0)))


def test_from_nothing_the_empty_mask_is_no_bargain():
    small = torch.zeros(1, 1, 8, 8)
    small[..., :2, :2] = 1
    empty, level = torch.full((1, 1, 8, 8), -4.0), torch.zeros(1, 1, 8, 8)
    published = [pass_loss(x, torch.zeros(1, 1), small).mask for x in (empty, level)]
    even = [pass_loss(x, torch.zeros(1, 1), small, from_nothing=True).mask for x in (empty, level)]
    assert published[0] < published[1]
    assert even[0] > even[1]


def test_of_sams_own_loss_the_iou_head_learns_from_the_chosen_mask_alone():
    predicted = torch.zeros(2, 3, requires_grad=True)
    logits = torch.randn(2, 3, 8, 8)
    logits[0, 1] = 6 * (2 * TRUTH[0, 0] - 1)
    logits[1, 2] = 6 * (2 * TRUTH[1, 0] - 1)
    loss = pass_loss(logits, predicted, TRUTH, iou_of_chosen=True).iou
    assert loss.item() == pytest.approx(1.0)  # both are right, and 0 was predicted
    loss.backward()
    assert (predicted.grad != 0).tolist() == [[False, True, False], [False, False, True]]
