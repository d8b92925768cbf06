"""Runs: the same with the same seed, after a kill, and however their micro-batches are shared out."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from engine.cli import main, parser
from engine.cli.train import _run
from engine.data.batches import Batch
from engine.data.records import read_records
from engine.data.sources import PhotoSource, shelf_for
from engine.errors import DataInvalid
from engine.model.build import Sam, build_model
from engine.model.checkpoint import describe_checkpoint, load_checkpoint, save_checkpoint
from engine.recipes import RECIPES
from engine.training.distributed import RunningStatistics, Workers
from engine.training.lessons import MaskLesson, Taught
from engine.training.parameters import with_dropping
from engine.training.state import lighten
from engine.training.trainer import Diverged, Trainer
from engine.training.validation import validation_on
from tests.engine.conftest import small_vit, write_label_maps

COMMAND = [sys.executable, "-m", "engine", "train", "debug", "--json", "--threads", "1"]


def train(data, out, *more, seed=0):
    return [*COMMAND, "--data", str(data), "--out", str(out), "--seed", str(seed), *more]


def losses(output: str) -> dict[int, float]:
    lines = [json.loads(line) for line in output.splitlines()]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return losses(done.stdout)


@pytest.fixture
def run_here(capsys, monkeypatch):
    """The same command in this process, which spares loading torch again."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the command sets it
    threads = torch.get_num_threads()

    def run(command):
        assert main(command[command.index("train") :]) == 0
        return losses(capsys.readouterr().out)

    yield run
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing disturbed: losses by step, and the file."""
    folder = tmp_path_factory.mktemp("whole")
    found = run(train(write_label_maps(folder / "data"), folder / "whole.safetensors"))
    return found, (folder / "whole.safetensors").read_bytes()


@pytest.fixture
def trainer(label_maps, tmp_path):
    """A run of the debug recipe in this process; `changes` are fields of the run."""

    def make(out="x.safetensors", *, validated=False, architecture="maskloop_debug", **changes):
        settings = replace(RECIPES["debug"](), **changes)
        torch.manual_seed(settings.seed)
        model = build_model(architecture) if isinstance(architecture, str) else Sam(architecture)
        model = with_dropping(model, drop_path=settings.drop_path, dropout=settings.dropout)
        stride = 64 // model.architecture.prompt.grid
        records, augmentation = (
            read_records(label_maps),
            settings.augmentation(64, stride, model.architecture.encoder.preprocessing),
        )
        source = PhotoSource(shelf_for(records, augmentation), augmentation)
        validation = validation_on(records, model, augmentation, photos=2, clicks=2) if validated else None
        return Trainer(settings, model, MaskLesson(settings, model), source, tmp_path / out, validation=validation)

    return make


def told(lines):
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def test_the_same_seed_gives_the_same_losses_and_weights(whole, label_maps, tmp_path, run_here):
    found, weights = whole
    assert list(found) == [1, 2, 3, 4, 5, 6]
    assert run_here(train(label_maps, tmp_path / "again.safetensors")) == found
    assert (tmp_path / "again.safetensors").read_bytes() == weights
    assert run_here(train(label_maps, tmp_path / "other.safetensors", seed=1)) != found


def test_a_killed_run_resumes_with_the_same_losses_and_weights(whole, label_maps, tmp_path, run_here):
    found, weights = whole
    out = tmp_path / "killed.safetensors"
    child = subprocess.Popen(train(label_maps, out), stdout=subprocess.PIPE, text=True)
    before = {}
    for line in child.stdout:
        before |= losses(line)
        if max(before) >= 3:  # the state is kept every second step
            child.send_signal(signal.SIGKILL)
            break
    child.wait()
    after = run_here(train(label_maps, out))
    assert 1 < min(after) <= 5
    assert {**before, **after} == found
    assert out.read_bytes() == weights
    assert not out.with_name(out.name + ".state").exists()


def test_a_term_keeps_the_state_and_the_same_command_goes_on(whole, label_maps, tmp_path, run_here):
    found, weights = whole
    out = tmp_path / "stopped.safetensors"
    child = subprocess.Popen(train(label_maps, out), stdout=subprocess.PIPE, text=True)
    before = losses(child.stdout.readline())
    child.send_signal(signal.SIGTERM)
    rest, _ = child.communicate(timeout=60)
    before |= {line["step"]: line["loss"] for line in map(json.loads, rest.splitlines()) if "loss" in line}
    if child.returncode == 0:
        pytest.fail("the run ended before it was told to stop")
    after = run_here(train(label_maps, out))
    assert {**before, **after} == found
    assert out.read_bytes() == weights


def test_a_state_of_other_settings_is_not_taken(label_maps, tmp_path, capsys):
    out = tmp_path / "x.safetensors"
    command = ["train", "debug", "--data", str(label_maps), "--out", str(out), "--threads", "1"]
    assert main([*command, "--minutes", "0.0001"]) == 1
    assert main([*command, "--seed", "9"]) == 2
    assert "other settings" in capsys.readouterr().err


def test_the_decoder_learns_on_stored_embeddings_and_the_encoder_stays(label_maps, weights, tmp_path, run_here):
    from engine import api
    from engine.data.records import read_records
    from engine.masks import encode

    folder = tmp_path / "embedded"
    folder.mkdir()
    with open(folder / "manifest.jsonl", "w") as manifest:
        for record in read_records(label_maps):
            pixels = record.pixels()
            (folder / f"{record.name}.f16").write_bytes(api.embed_image(pixels, checkpoint=weights).tobytes())
            entry = {
                "id": record.name,
                "embedding": f"{record.name}.f16",
                "size": list(pixels.shape[:2]),
                "masks": [encode(mask) for mask in record.read_masks()],
            }
            manifest.write(json.dumps(entry) + "\n")
    out = tmp_path / "decoder.safetensors"
    command = ["train", "debug_decoder", "--data", str(folder), "--init", str(weights), "--threads", "1", "--json"]
    assert len(run_here([*command, "--out", str(out)])) == 4
    before, after = describe_checkpoint(weights), describe_checkpoint(out)
    assert after.encoder_hash == before.encoder_hash
    assert after.decoder_hash != before.decoder_hash


def test_two_processes_are_one_with_two_micro_batches_and_end_with_the_same_weights(label_maps, tmp_path, run_here):
    """Through `torchrun`, with batch normalisation in the model; bit for bit."""
    out = tmp_path / "two.safetensors"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launch, "-m", "tests.engine.training.ranks", *train(label_maps, out, "--steps", "3")[3:]]
    together = run(command)
    first, second = (torch.load(f"{out}.rank{rank}", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)

    alone = tmp_path / "alone.safetensors"
    assert run_here(train(label_maps, alone, "--steps", "3", "--accumulate", "2")) == together
    assert alone.read_bytes() == out.read_bytes()


def test_an_accumulating_run_that_was_stopped_resumes_with_the_same_losses_and_weights(trainer):
    (phase,) = RECIPES["debug"]().phases
    settings = {"accumulate": 3, "phases": (replace(phase, steps=4, photos=1),)}
    undisturbed = trainer("whole.safetensors", **settings)
    found = told(undisturbed.train())
    before = {}
    for line in trainer(**settings).train():
        before |= told([line])
        if line.get("step") == 1:
            os.kill(os.getpid(), signal.SIGTERM)
    assert line == {"stopped_at": 2}  # the step that was under way is taken to its end
    resumed = trainer(**settings)
    after = told(resumed.train())
    assert {**before, **after} == found
    assert list(after) == [3, 4]
    assert resumed.out.read_bytes() == undisturbed.out.read_bytes()


def test_more_micro_batches_per_step_are_other_settings(trainer):
    for line in trainer(accumulate=2).train():
        if line.get("step") == 1:
            os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(ValueError, match="other settings"):
        next(trainer(accumulate=3).train())


def test_a_state_of_a_version_with_other_tensors_is_refused_in_a_sentence(trainer):
    made = trainer()
    for line in made.train():
        if line.get("step") == 1:
            os.kill(os.getpid(), signal.SIGTERM)
    state = torch.load(made.state_file, weights_only=True)
    state["averaged"].popitem()
    torch.save(state, made.state_file)
    with pytest.raises(DataInvalid, match="is of another version of the engine; remove it to begin again"):
        next(trainer().train())


def test_batch_norms_statistics_are_the_mean_over_the_micro_batches():
    norm = torch.nn.BatchNorm1d(1, momentum=0.1)
    statistics = RunningStatistics(norm)
    for level in (2.0, 6.0):
        norm(level + torch.tensor([[-1.0], [1.0]]))
        statistics.micro_batch_done()
    statistics.step_done(Workers(), 2)
    assert norm.running_mean.item() == pytest.approx(0.1 * 4)  # from 0, towards the mean of 2 and 6
    assert norm.num_batches_tracked.item() == 2


def test_the_best_weights_are_kept_and_the_last_lie_beside_them(trainer):
    settings = {"validate_every_steps": 2, "learning_rate": 3e-3}
    made = trainer(validated=True, **settings)
    lines = list(made.train())
    scores = {line["step"]: line["score"] for line in lines if "score" in line}
    assert list(scores) == [2, 4, 6]
    assert next(line for line in lines if "score" in line)["best"]
    of_file = np.mean(made.validation.miou(load_checkpoint(made.out)))
    assert of_file == pytest.approx(max(scores.values()), abs=0.01)  # a file's weights are float16
    of_last = np.mean(made.validation.miou(load_checkpoint(made.out.with_name("x.safetensors.last"))))
    assert of_last == pytest.approx(scores[6], abs=0.01)
    log = made.out.with_name("x.safetensors.log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in log] == lines
    assert cv2.imread(str(made.out.with_name("x.safetensors.png"))).shape[0] == 900  # loss, IoU, validation


def test_worse_weights_do_not_replace_the_best(trainer, monkeypatch):
    made = trainer(validated=True, validate_every_steps=1)
    kept = []
    scores = iter([0.5, 0.7, 0.6, 0.7, 0.2, 0.1])
    monkeypatch.setattr(made.validation, "miou", lambda model: [next(scores)])
    monkeypatch.setattr(made, "_save_as", lambda file: kept.append((made.step, file.name)))
    assert [line["best"] for line in made.train() if "score" in line] == [True, True, False, False, False, False]
    assert [step for step, name in kept if name == "x.safetensors"] == [1, 2]


def test_the_published_recipe_runs_on_a_small_vit_and_repeats_itself(trainer):
    """All of it but the size: eleven passes, layer decay, drop path, dropout, the rate's drops, bfloat16, no photo touched."""
    base = RECIPES["base"]()
    small = small_vit()
    phase = replace(base.phases[0], side=64, steps=3, objects=2)
    kept = {name: getattr(base, name) for name in base.__slots__ if name not in ("architecture", "name", "phases")}
    changes = {**kept, "architecture": small, "phases": (phase,), "log_every_steps": 1, "warm_up_steps": 1}
    made = trainer(**changes)
    before = {name: p.detach().clone() for name, p in made.model.named_parameters()}
    found = told(made.train())
    assert np.isfinite(list(found.values())).all()
    assert found == told(trainer("again.safetensors", **changes).train())  # drop path's dice are the step's, too
    for name in ("drop_path", "dropout"):
        assert found != told(trainer("whole.safetensors", **{**changes, name: 0.0}).train())
    moved = {name: float((p.detach() - before[name]).abs().max()) for name, p in made.model.named_parameters()}
    assert moved["image_encoder.neck.0.weight"] > 2 * moved["image_encoder.patch_embed.proj.weight"] > 0
    assert load_checkpoint(made.out).architecture == small  # how it was trained is no part of what it is


def test_a_live_model_of_any_architecture_is_tuned_encoder_included(label_maps, weights, tmp_path, run_here):

    out = tmp_path / "tuned.safetensors"
    command = ["train", "finetune", "--data", str(label_maps), "--init", str(weights), "--steps", "1", "--threads", "1"]
    run_here([*command, "--json", "--hold-out", "0.5", "--out", str(out)])
    before, after = describe_checkpoint(weights), describe_checkpoint(out)
    assert after.architecture == before.architecture == "maskloop_debug"
    assert after.encoder_hash != before.encoder_hash
    assert after.decoder_hash != before.decoder_hash
    assert out.with_name(out.name + ".last").exists()


def test_a_loss_that_is_no_number_ends_the_run_before_it_reaches_the_weights(trainer, monkeypatch):
    made = trainer()
    lines = made.train()
    while next(lines)["step"] < 3:  # state and checkpoint are of step 2
        pass
    kept = made.out.read_bytes()
    monkeypatch.setattr(made.lesson, "teach", lambda *_: Taught(torch.tensor(float("nan")), {}))
    with pytest.raises(Diverged, match="step 4"):
        list(lines)
    assert made.out.read_bytes() == kept
    assert all(p.isfinite().all() for p in made.model.parameters())


def test_a_run_stops_before_its_time_is_over_and_the_same_command_goes_on(whole, label_maps, tmp_path, capsys):
    found, weights = whole
    out = tmp_path / "timed.safetensors"
    command = train(label_maps, out)
    arguments = command[command.index("train") :]
    before, starts = {}, 0
    while starts < 6:
        status = main([*arguments, "--minutes", "0.0001"])  # over before the first step is: one step is always taken
        before |= losses(capsys.readouterr().out)
        starts += 1
        assert (status, len(before)) == (1 if starts < 6 else 0, starts)
    assert before == found
    assert out.read_bytes() == weights


@pytest.mark.parametrize(
    ("changed", "says"), [("masks", "other photos or masks"), ("photo", "other photos"), ("init", "other weights")]
)
def test_a_state_of_other_data_or_other_weights_is_not_taken(label_maps, weights, tmp_path, capsys, changed, says):
    out = tmp_path / "x.safetensors"
    command = ["train", "debug", "--data", str(label_maps), "--init", str(weights), "--out", str(out), "--threads", "1"]
    assert main([*command, "--minutes", "0.0001"]) == 1
    if changed == "masks":
        file = label_maps / "masks" / "0.png"
        cv2.imwrite(str(file), cv2.imread(str(file), cv2.IMREAD_UNCHANGED)[::-1])
    elif changed == "photo":
        (label_maps / "images" / "0.png").unlink()
    else:
        torch.manual_seed(9)
        save_checkpoint(build_model("maskloop_debug"), weights, recipe="none")
    assert main(command) == 2
    assert says in capsys.readouterr().err


def test_a_run_goes_on_from_a_light_state_at_the_same_step_with_the_averaged_weights(trainer):
    made = trainer()
    for line in made.train():
        if line.get("step") == 3:
            os.kill(os.getpid(), signal.SIGTERM)
    stopped_at = line["stopped_at"]
    whole = made.state_file.stat().st_size
    lighten(made.state_file, made.state_file)
    assert made.state_file.stat().st_size < whole / 4
    averaged = {name: p.detach().clone() for name, p in made.averaged.named_parameters()}
    resumed = trainer()
    resumed._resume()
    assert resumed.step == stopped_at
    for name, parameter in resumed.model.named_parameters():
        torch.testing.assert_close(parameter, averaged[name], atol=1e-3, rtol=1e-3)
    assert list(told(resumed.train())) == list(range(stopped_at + 1, 7))


def test_what_is_unlabelled_teaches_nothing():
    """That another object of the photo is outlined adds that object's own lesson, and changes nothing in the first one's.

    Nothing is left to chance: boxes without noise, no corrections, and objects of one cell of the grid each.
    """
    run = RECIPES["debug"]()
    phase = replace(run.phases[0], photos=1, corrections=0, box_share=1.0, box_noise=0.0, affinity=1.0)
    photo = torch.randint(0, 256, (1, 3, 64, 64), generator=torch.Generator().manual_seed(0)).float()
    truth = np.zeros((2, 32, 32), bool)
    truth[0, 4:8, 8:12], truth[1, 16:20, 24:28] = True, True
    taught = []
    for objects in ([0], [1], [0, 1]):
        torch.manual_seed(0)
        model = build_model("maskloop_debug").train()
        lesson = MaskLesson(run, model)
        batch = Batch(photo, np.zeros(len(objects), np.int64), truth[objects])
        loss = lesson.teach(model, batch, phase, np.random.default_rng(1)).loss
        loss.backward()
        gradients = [p.grad for p in (*model.parameters(), *lesson.parameters()) if p.grad is not None]
        taught.append((loss.detach(), torch.cat([gradient.flatten() for gradient in gradients])))
    (first, of_first), (second, of_second), (both, of_both) = taught
    assert not torch.isclose(first, second)
    torch.testing.assert_close(both, (first + second) / 2)
    torch.testing.assert_close(of_both, (of_first + of_second) / 2, atol=1e-5, rtol=1e-4)


def test_an_object_is_drawn_alike_whether_the_others_of_its_photo_are_outlined_or_not(label_maps):
    found = []
    run = replace(RECIPES["debug"](), augment=False)
    phase = replace(run.phases[0], objects=1, photos=1, scale=(1.0, 1.0))
    for fully in (True, False):
        if not fully:
            for file in (label_maps / "masks").iterdir():
                labels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
                cv2.imwrite(str(file), np.where(labels == 1, 1, 0).astype(np.uint8))
        augmentation = run.augmentation(64, 8, "preprocessing-1")
        source = PhotoSource(shelf_for(read_records(label_maps), augmentation), augmentation)
        batches = [source.batch(phase, np.random.default_rng(seed)) for seed in range(200)]
        found.append({(batch.images.numpy().tobytes(), batch.truth.tobytes()) for batch in batches})
    assert len(found[0]) > 8
    assert found[1] < found[0]
    assert len(found[1]) == 4  # the first object of each photo


@pytest.mark.parametrize("recipe", ["longer", "larger", "further", "first_click"])
def test_a_recipe_that_goes_on_with_another_ones_weights_is_refused_without_them(label_maps, tmp_path, capsys, recipe):
    assert main(["train", recipe, "--data", str(label_maps), "--out", str(tmp_path / "x"), "--threads", "1"]) == 2
    said = capsys.readouterr().err
    assert f"{recipe} goes on with weights that have been through another recipe: give them as --init" in said
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("train", "scratch"),
        ("train", "base"),
        ("train", "gpu", "--on-device"),
        ("train", "distill", "--teacher", "{weights}"),
        ("train", "further"),
        ("train", "finetune", "--init", "{weights}"),
        ("lease", "gpu", "--minutes", "9", "--pack", "{data}"),
    ],
)
def test_a_checkpoint_that_would_not_be_used_is_refused(label_maps, weights, tmp_path, capsys, command):
    given = [part.format(weights=weights, data=label_maps) for part in command]
    data = [] if command[0] == "lease" else ["--data", str(label_maps)]
    assert main([*given, *data, "--checkpoint", str(weights), "--out", str(tmp_path / "x"), "--threads", "1"]) == 2
    said = capsys.readouterr().err
    assert "would not use --checkpoint: the weights that it begins with are --init" in said


def test_a_recipe_that_starts_live_starts_from_the_checkpoint_that_is_given(label_maps, weights, tmp_path, capsys):
    train = ["train", "debug_finetune", "--data", str(label_maps), "--out", str(tmp_path / "x"), "--threads", "1"]
    assert main([*train, "--checkpoint", str(weights)]) == 0, capsys.readouterr().err
    assert load_checkpoint(tmp_path / "x").architecture.name == "maskloop_debug"


@pytest.mark.parametrize("licence", ["CC-BY-NC-4.0", ""])
def test_what_is_trained_from_weights_keeps_their_licence(model, label_maps, tmp_path, licence):
    parent, out = tmp_path / "parent.safetensors", tmp_path / "x"
    save_checkpoint(model, parent, recipe="published", licence=licence)
    train = ["train", "debug_finetune", "--data", str(label_maps), "--out", str(out), "--threads", "1"]
    assert main([*train, "--checkpoint", str(parent)]) == 0
    assert describe_checkpoint(out).licence == licence


def test_a_seed_that_is_not_given_is_the_recipes_own():
    for given, wanted in ((), RECIPES["further"]().seed), (("--seed", "0"), 0):
        options = parser().parse_args(["train", "further", "--data", "x", "--init", "x", "--out", "x", *given])
        assert _run(options).seed == wanted
    assert RECIPES["further"]().seed != 0
