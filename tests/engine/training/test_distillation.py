"""A teacher's embeddings into a student."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from engine.cli import main
from engine.data.batches import Batch
from engine.data.records import read_rgb
from engine.inference.predictor import Predictor
from engine.model.build import ARCHITECTURES, Sam
from engine.model.checkpoint import load_checkpoint, save_checkpoint
from engine.recipes import RECIPES
from engine.training.lessons import EmbeddingLesson
from tests.conftest import scene
from tests.engine.conftest import small_vit


def teacher_of(side: int, channels: int) -> Sam:
    """Another input side, another grid, other channels than the student's."""
    small = ARCHITECTURES["maskloop_debug"]
    torch.manual_seed(11)
    return Sam(
        replace(
            small,
            encoder=replace(small.encoder, image_side=side, channels=channels),
            prompt=replace(small.prompt, image_side=side, grid=side // 8, channels=channels),
            decoder=replace(small.decoder, channels=channels),
        )
    ).eval()


@pytest.fixture
def teacher(tmp_path):
    file = tmp_path / "teacher.safetensors"
    save_checkpoint(teacher_of(96, 48), file, recipe="none")
    return file


def test_a_student_comes_nearer_to_its_teacher_on_photos_without_labels(label_maps, teacher, tmp_path, capsys):
    out = tmp_path / "student.safetensors"
    command = ["train", "debug_distill", "--data", str(label_maps / "images"), "--teacher", str(teacher), "--json"]
    assert main([*command, "--out", str(out), "--steps", "25"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    student = load_checkpoint(out)  # strict: nothing but the model is in the file
    assert student.architecture.name == "maskloop_debug"
    assert not any("projection" in name for name in student.state_dict())


def test_the_teacher_sees_the_whole_window_and_learns_nothing(model):
    teacher = teacher_of(96, 48)
    lesson = EmbeddingLesson(RECIPES["debug_distill"](), model, teacher)
    phase = RECIPES["debug_distill"]().phases[0]
    assert lesson.wanted(phase).side == 96
    seen = []
    teacher.image_encoder.register_forward_hook(lambda module, given, made: seen.append(given[0].shape[-1]))
    model.image_encoder.register_forward_hook(lambda module, given, made: seen.append(given[0].shape[-1]))
    pixels = torch.randint(0, 256, (2, 3, 96, 96), dtype=torch.uint8)
    batch = Batch(pixels, np.zeros(0, np.int64), np.zeros((0, 0, 0), bool))
    lesson.teach(model, batch, phase, np.random.default_rng(0)).loss.backward()
    assert seen == [96, 64]
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert {name for name, _ in lesson.named_parameters()} == {"projection.weight", "projection.bias"}


def test_on_photos_that_nothing_touches_a_published_teacher_sees_what_it_does_at_inference(tmp_path, monkeypatch):
    torch.manual_seed(0)
    save_checkpoint(Sam(small_vit()), tmp_path / "teacher.safetensors", recipe="none")
    for number, size in enumerate([(150, 200), (40, 30)]):
        Image.fromarray(scene(*size, seed=number)[0]).save(tmp_path / f"{number}.png")
    run = RECIPES["debug_distill"](steps=4)
    still = replace(run, augment=False, phases=(replace(run.phases[0], scale=(1.0, 1.0)),))
    monkeypatch.setitem(RECIPES, "debug_distill", lambda **_: still)
    seen, embed = [], Sam.embed

    def watched(self, pixels):
        if self.architecture == small_vit():
            seen.extend(pixels.clone())
        return embed(self, pixels)

    monkeypatch.setattr(Sam, "embed", watched)
    command = ["train", "debug_distill", "--data", str(tmp_path), "--teacher", str(tmp_path / "teacher.safetensors")]
    assert main([*command, "--out", str(tmp_path / "student.safetensors")]) == 0
    trained_on, seen = seen, []
    assert len(trained_on) == 8
    teacher = Predictor(load_checkpoint(tmp_path / "teacher.safetensors"))
    teacher.embed_many([read_rgb(tmp_path / f"{number}.png") for number in (0, 1)])
    of_photo = [[torch.equal(one, at_inference) for at_inference in seen] for one in trained_on]
    assert all(sum(same) == 1 for same in of_photo)
    assert all(any(same) for same in zip(*of_photo, strict=True))


def test_the_loss_is_the_plain_mean_squared_error_on_the_students_grid(model):
    """A student that answers 1 everywhere, a teacher that answers 3."""
    teacher = teacher_of(96, 32)
    lesson = EmbeddingLesson(RECIPES["debug_distill"](), model, teacher)
    one = SimpleNamespace(embed=lambda pixels: torch.full((1, 32, 8, 8), 1.0), pixel_mean=model.pixel_mean)
    lesson._teacher = [SimpleNamespace(embed=lambda pixels: torch.full((1, 32, 12, 12), 3.0))]
    batch = Batch(torch.zeros(1, 3, 96, 96), np.zeros(0, np.int64), np.zeros((0, 0, 0), bool))
    loss = lesson.teach(one, batch, RECIPES["debug_distill"]().phases[0], np.random.default_rng(0)).loss
    assert loss.item() == pytest.approx(4)


def test_where_only_the_encoders_differ_the_student_takes_over_the_teachers_decoder(model):
    teacher = teacher_of(64, 32)
    before = model.mask_decoder.iou_token.weight.clone()
    EmbeddingLesson(RECIPES["debug_distill"](), model, teacher)
    assert torch.equal(model.mask_decoder.iou_token.weight, teacher.mask_decoder.iou_token.weight)
    assert not torch.equal(model.mask_decoder.iou_token.weight, before)
