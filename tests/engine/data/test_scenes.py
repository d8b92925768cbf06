"""Drawn scenes: every pixel known, every object to be seen, the same again for the same seed."""

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from engine.cli import main
from engine.data.records import read_records
from engine.data.scenes import LEAST_VISIBLE_PX, draw_scene, write_scenes

SIZE = (96, 128)


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(np.random.default_rng([0, number]), SIZE) for number in range(40)]


def test_objects_are_numbered_without_gaps_and_none_is_too_small_to_be_seen(scenes):
    for scene in scenes:
        assert scene.rgb_HW3.shape == (*SIZE, 3)
        assert scene.owner_HW.shape == SIZE
        sizes = np.bincount(scene.owner_HW.ravel())[1:]
        assert (sizes >= LEAST_VISIBLE_PX).all()
    counts = [int(scene.owner_HW.max()) for scene in scenes]
    assert min(counts) <= 3
    assert max(counts) >= 10  # single things, and crowds


def test_the_mask_lies_where_the_object_was_painted(scenes):
    """A border runs where colours change: nearer to it they differ more than inside."""
    steeper = []
    for scene in scenes:
        grey = cv2.GaussianBlur(scene.rgb_HW3, (0, 0), 1.0).astype(np.float32)
        steps_HW = np.abs(np.diff(grey, axis=1)).max(axis=2)
        border_HW = np.diff(scene.owner_HW.astype(int), axis=1) != 0
        if border_HW.any() and not border_HW.all():
            steeper.append(float(steps_HW[border_HW].mean() / steps_HW[~border_HW].mean()))
    assert np.median(steeper) > 2


def test_what_lies_behind_may_be_a_photo_and_is_nobodys():
    red = np.zeros((50, 300, 3), np.uint8)
    red[..., 0] = 255
    has_red = 0
    for number in range(30):
        scene = draw_scene(np.random.default_rng([1, number]), SIZE, [lambda: red])
        ground = scene.rgb_HW3[scene.owner_HW == 0].astype(int)
        has_red += len(ground) > 0 and bool(np.mean((ground[:, 0] > 120) & (ground[:, 1:].max(axis=1) < 60)) > 0.7)
    assert 3 <= has_red < 20


def test_the_command_writes_a_folder_to_train_on_the_same_for_the_same_seed(tmp_path):
    for name in ("first", "second"):
        assert main(["scenes", "--out", str(tmp_path / name), "--count", "3", "--side", "64", "--seed", "5"]) == 0
    records = read_records(tmp_path / "first")
    assert [record.name for record in records] == [f"scene-{number:05}" for number in range(3)]
    for file in sorted((tmp_path / "first").rglob("scene-*")):
        assert file.read_bytes() == (tmp_path / "second" / file.relative_to(tmp_path / "first")).read_bytes()
    owner = np.array(Pillow.open(tmp_path / "first" / "masks" / "scene-00000.png"))
    assert owner.shape == (64, 64)
    assert owner.max() >= 1


def test_a_folder_with_something_in_it_is_left_as_it_is(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["scenes", "--out", str(tmp_path), "--count", "1", "--side", "64"]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_another_seed_draws_other_scenes(tmp_path):
    for seed in (0, 1):
        write_scenes(tmp_path / str(seed), count=1, side=64, seed=seed)
    assert len({(tmp_path / str(seed) / "images" / "scene-00000.jpg").read_bytes() for seed in (0, 1)}) == 2


@pytest.mark.parametrize(("option", "value"), [("--count", "0"), ("--side", "8")])
def test_what_cannot_be_drawn_is_said(option, value, tmp_path, capsys):
    assert main(["scenes", "--out", str(tmp_path / "out"), option, value]) == 2
    assert f"{option} is" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
