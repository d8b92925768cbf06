"""Orthogonal steps, and which weights take them."""

import numpy as np
import torch
from torch import nn

from engine.model.build import build_model
from engine.recipes import RECIPES
from engine.training.lessons import MaskLesson
from engine.training.muon import Muon, orthogonalised
from engine.training.parameters import optimizers


def test_singular_vectors_stay_and_singular_values_become_about_one():
    generator = torch.Generator().manual_seed(0)
    for rows, columns in ((16, 40), (40, 16), (24, 24), (128, 400), (400, 128)):
        matrix_RC = torch.randn(rows, columns, generator=generator)
        u, s, v = torch.linalg.svd(matrix_RC, full_matrices=False)
        wanted = s / s.norm()
        a, b, c = 3.4445, -4.7750, 2.0315  # as Jordan publishes them, with five steps
        for _ in range(5):
            wanted = a * wanted + b * wanted**3 + c * wanted**5  # the iteration, on the singular values themselves
        found = orthogonalised(matrix_RC)
        torch.testing.assert_close(found, u @ torch.diag(wanted) @ v, rtol=0, atol=1e-3)
        assert torch.linalg.svdvals(found).max() < 1.3


def test_a_gradient_of_few_directions_steps_in_these_alone():
    generator = torch.Generator().manual_seed(0)
    for size in ((48, 64), (128, 512)):  # the second is iterated on its small side
        matrix_RC = torch.randn(size[0], 2, generator=generator) @ torch.randn(2, size[1], generator=generator)
        values = torch.linalg.svdvals(orthogonalised(matrix_RC))
        assert 0.6 < values[1] <= values[0] < 1.3
        assert values[2] < 1e-2


def test_a_step_is_as_large_as_adamws_and_shrinks_the_weight():
    weight = nn.Parameter(torch.ones(32, 8, 3, 3))
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(32, 8, 3, 3, generator=generator)
    weight.grad = gradient.clone()
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    step = (weight.detach() - (1 - 0.1 * 0.5)) / -0.1
    momentum = 0.05 * gradient
    ahead = (0.05 * gradient + 0.95 * momentum).flatten(1)  # Nesterov's, at the published 0.95
    wanted = orthogonalised(ahead) * 0.2 * 72**0.5  # 0.2: the RMS of AdamW's steps (Moonlight)
    torch.testing.assert_close(step.flatten(1), wanted, rtol=0, atol=1e-4)
    assert 0.5 * 0.2 < float(step.pow(2).mean().sqrt()) < 1.3 * 0.2


def test_a_weight_without_a_gradient_stays():
    weight = nn.Parameter(torch.ones(16, 16))
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    assert np.array_equal(weight.detach().numpy(), np.ones((16, 16), np.float32))


def test_hidden_matrices_are_muons_and_all_else_is_adamws():
    model = build_model("maskloop_tiny")
    run = RECIPES["further"]()
    lesson = MaskLesson(run, model)
    muon, adamw = optimizers(run, model, lesson)
    names = {id(parameter): name for name, parameter in (*model.named_parameters(), *lesson.named_parameters())}

    def held(optimizer):
        return {names[id(p)] for group in optimizer.param_groups for p in group["params"]}

    assert held(muon).isdisjoint(held(adamw))
    assert held(muon) | held(adamw) == set(names.values())
    assert isinstance(muon, Muon)
    for name in (
        "image_encoder.stages.3.2.first.0.weight",
        "image_encoder.globals.0.attention.in_proj_weight",
        "mask_decoder.transformer.layers.0.mlp.lin1.weight",
        "affinity.key.weight",
    ):
        assert name in held(muon)
    for name in (
        "image_encoder.stem.0.0.weight",  # from pixels
        "image_encoder.globals.0.where.weight",  # one filter for each channel
        "image_encoder.stages.3.2.first.1.weight",  # a norm
        "prompt_encoder.point_embeddings.0.weight",
        "mask_decoder.mask_tokens.weight",
        "mask_decoder.iou_prediction_head.layers.2.weight",
    ):
        assert name in held(adamw)
