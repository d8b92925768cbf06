"""Training where nothing waits for the CPU, and as much of it as fits into a lease."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.cli import main
from engine.data.batches import Batch, DeviceBatch
from engine.data.records import read_records
from engine.model.build import build_model
from engine.model.checkpoint import load_checkpoint
from engine.model.prompt_encoder import BOX_END, BOX_START, FOREGROUND, PADDING
from engine.recipes import RECIPES
from engine.training.device_hand import DeviceHand, depths
from engine.training.lessons import MaskLesson
from engine.training.validation import validated

PHASE = RECIPES["debug_gpu"]().phases[-1]
TRUTH = torch.zeros(200, 32, 32, dtype=torch.bool)
TRUTH[:, 4:20, 6:27] = True


def hand(seed=0, **changes):
    return DeviceHand(TRUTH, replace(PHASE, **changes), 2.0, torch.Generator().manual_seed(seed))


def cells(points):
    return ((points + 0.5) / 2).floor().long()


def test_first_prompts_are_points_inside_or_boxes_around_in_the_shares_that_are_asked_for():
    points, labels = hand(box_share=0.5, box_noise=0.0, middle_share=0.5).prompts()
    is_box = labels[:, 0] == BOX_START
    assert 0.4 < is_box.float().mean() < 0.6
    assert (labels[is_box] == torch.tensor([BOX_START, BOX_END])).all()
    assert (points[is_box] == torch.tensor([[12.0, 8.0], [54.0, 40.0]])).all()
    assert (labels[~is_box] == torch.tensor([FOREGROUND, PADDING])).all()
    x, y = cells(points[~is_box][:, 0]).T
    assert TRUTH[0, y, x].all()
    in_the_middle = (y >= 11) & (y <= 12)  # of rows 4 to 19; a twelfth would be there by chance
    assert 0.45 < in_the_middle.float().mean() < 0.75


def test_boxes_are_moved_by_a_tenth_of_their_sides_and_at_most_so_far():
    points, _ = hand(box_share=1.0, box_noise=0.625).prompts()
    edges = points.flatten(1) - torch.tensor([12.0, 8.0, 54.0, 40.0])
    assert 3.2 < edges[:, 2].std() < 5.2  # 4.2 of 42
    nearly, _ = hand(box_share=1.0, box_noise=1 / 64).prompts()
    assert (nearly.flatten(1) - torch.tensor([12.0, 8.0, 54.0, 40.0])).abs().max() <= 1


def test_corrections_lie_where_the_answer_is_wrong_and_say_which_way():
    clicking = hand()
    logits = torch.where(TRUTH, 1.0, -1.0)[:, None]
    logits[:, 0, :, 15:] = -1  # what is right of it was missed
    logits[:, 0, 25:] = 1  # and this is too much
    clicking.correct(logits, 2)
    points, labels = clicking.prompts()
    assert labels.shape == (200, 4)
    x, y = cells(points[:, 2:].flatten(0, 1)).T
    is_miss, is_alarm = (x >= 15) & (x < 27) & (y >= 4) & (y < 20), y >= 25
    assert (is_miss | is_alarm).all()
    assert (labels[:, 2:].flatten() == is_miss).all()
    assert 0.3 < is_miss.float().mean() < 0.6  # 192 of 416 cells
    perfect = hand()
    perfect.correct(torch.where(TRUTH, 1.0, -1.0)[:, None], 1)
    assert (perfect.prompts()[1][:, 2] == 1).all()


def test_the_depth_of_a_cell_is_its_distance_from_the_border():
    region = torch.zeros(1, 9, 9, dtype=torch.bool)
    region[0, :5, 2:7] = True  # at the image's edge
    assert depths(region)[0, 2].int().tolist() == [0, 0, 1, 2, 3, 2, 1, 0, 0]


def test_a_batch_on_the_device_teaches_what_the_same_batch_teaches_otherwise():
    """Nothing left to chance: boxes without noise, no corrections, objects of one cell of the grid."""
    phase = replace(PHASE, corrections=0, box_share=1.0, box_noise=0.0, affinity=1.0)
    images = torch.randint(0, 256, (2, 3, 64, 64), generator=torch.Generator().manual_seed(0)).float()
    truth, owner = np.zeros((3, 32, 32), bool), np.array([0, 0, 1])
    truth[0, 4:8, 8:12] = truth[1, 16:20, 24:28] = truth[2, 0:4, 28:32] = True
    taught = []
    for batch in (Batch(images, owner, truth), DeviceBatch(images, torch.from_numpy(owner), torch.from_numpy(truth))):
        torch.manual_seed(0)
        model = build_model("maskloop_debug").train()
        result = MaskLesson(RECIPES["debug_gpu"](), model).teach(model, batch, phase, np.random.default_rng(1))
        result.loss.backward()
        gradients = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        taught.append((result.loss.detach(), gradients))
    torch.testing.assert_close(taught[1], taught[0])


def test_texts_and_embeddings_are_not_learnt_on_the_device(label_maps, tmp_path, capsys):
    command = ["train", "debug_text", "--data", str(label_maps), "--out", str(tmp_path / "x"), "--on-device"]
    assert main(command) == 2
    assert "--on-device is for masks from photos, without texts" in capsys.readouterr().err


@pytest.fixture
def photos(label_maps, tmp_path):
    names, file = tmp_path / "names", tmp_path / "photos.pack"
    held_out = [f"held{number:02}" for number in range(18)]  # two more than validations look at
    for kind in ("images", "masks"):
        for name in held_out:
            shutil.copy(label_maps / kind / "3.png", label_maps / kind / f"{name}.png")
    names.write_text("\n".join(held_out))
    pack = ["pack", "--data", str(label_maps), "--held-out", str(names), "--side", "64", "--out", str(file)]
    assert main(pack) == 0
    return file


def test_a_lease_trains_until_its_time_is_over_and_the_next_goes_on_from_what_came_back(photos, tmp_path, capsys):
    """Each on a machine that knows nothing of the one before."""
    reached, carried = [], []
    for number in range(9):
        work, out = tmp_path / f"machine{number}", tmp_path / f"back{number}"
        command = [
            "lease",
            "debug_gpu",
            "--pack",
            str(photos),
            "--work",
            str(work),
            "--out",
            str(out),
            "--threads",
            "1",
        ]
        minutes = ["--minutes", "0.252", "--evaluate-minutes", "0.001"]
        status = main([*command, *minutes, *carried])
        told = capsys.readouterr().out.splitlines()
        steps = [int(line.split()[1].split("/")[0]) for line in told if line.startswith("step ")]
        reached.append(max(steps))
        carried = ["--carried", str(out)]
        assert all(file.stat().st_size < 16_000_000 for file in out.iterdir())
        if status == 0:
            break
        assert status == 1
        assert (out / "debug_gpu.safetensors.state.parts.json").exists()
    assert reached[-1] == 6
    assert len(reached) > 1
    assert reached == sorted(set(reached))  # each took at least a step, and none twice
    report = json.loads((out / "clicks.json").read_text())
    assert report["images"] == 2
    chosen_on = {record.name for record in validated(read_records(tmp_path / "machine0" / "photos" / "held_out"))}
    assert len(chosen_on) == 16
    assert not chosen_on & set(report["per_image"]), "the weights were chosen on these"
    assert 0 <= report["miou"]["1"] <= 1
    assert main(["join", str(out), "--out", str(tmp_path / "joined")]) == 0
    assert load_checkpoint(tmp_path / "joined" / "debug_gpu.safetensors").architecture.name == "maskloop_debug"
    log = [
        json.loads(line) for line in (tmp_path / "joined" / "debug_gpu.safetensors.log.jsonl").read_text().splitlines()
    ]
    assert [line["step"] for line in log if "loss" in line] == [1, 2, 3, 4, 5, 6]


def test_a_lease_that_is_too_short_to_train_in_says_so(photos, tmp_path, capsys):
    command = ["lease", "debug_gpu", "--pack", str(photos), "--out", str(tmp_path / "x"), "--minutes", "1"]
    assert main(command) == 2
    assert "of 1 minutes none are left to train in" in capsys.readouterr().err


def test_a_lease_makes_no_report_of_photos_that_all_chose_the_weights(label_maps, tmp_path, capsys):
    names, file = tmp_path / "few", tmp_path / "few.pack"
    names.write_text("3\n")
    assert main(["pack", "--data", str(label_maps), "--held-out", str(names), "--side", "64", "--out", str(file)]) == 0
    lease = ["lease", "debug_gpu", "--pack", str(file), "--work", str(tmp_path / "w"), "--out", str(tmp_path / "back")]
    assert main([*lease, "--threads", "1", "--minutes", "9"]) == 0
    assert "not evaluated: the weights were chosen on all of the 1 held-out photos" in capsys.readouterr().out
    assert not (tmp_path / "back" / "clicks.json").exists()
    assert (tmp_path / "back" / "debug_gpu.safetensors.parts.json").exists()
