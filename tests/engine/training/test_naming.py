"""Runs in which objects are asked for by name."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from engine.cli import main
from engine.data.batches import Batch
from engine.data.records import read_records
from engine.errors import CheckpointInvalid
from engine.inference.predictor import EmbeddedPhoto, Predictor, Prompt
from engine.model.build import build_model
from engine.model.checkpoint import describe_checkpoint, load_checkpoint
from engine.model.prompt_encoder import BACKGROUND, BOX_END, BOX_START, FOREGROUND, PADDING
from engine.model.text import text_encoder
from engine.recipes import RECIPES
from engine.training.lessons import MaskLesson
from engine.training.naming import prepare_text
from engine.training.run import Phase, Run
from engine.training.trainer import Trainer


@pytest.fixture
def named(label_maps):
    names = {str(seed): {"labels": ["red disc", "dog", "zebra"]} for seed in (0, 1)}
    (label_maps / "instances.json").write_text(json.dumps(names))
    return label_maps


class Whole:
    """A source of one photo's embedding, whose halves look different: left, right, and left again."""

    holds_embeddings = True

    def __init__(self, text_BD):
        left = np.zeros((32, 32), bool)
        left[:, :16] = True
        self.truth = np.stack([left, ~left, left])
        self.text_BD = text_BD
        looks = np.random.default_rng(0).normal(size=(32, 1, 2)).astype(np.float32)
        self.embedding = torch.from_numpy(looks.repeat(8, axis=1).repeat(4, axis=2))[None]

    def batch(self, wanted, rng):
        objects = len(self.truth) if self.text_BD is None else len(self.text_BD)
        return Batch(self.embedding, np.zeros(objects, np.int64), self.truth[:objects], self.text_BD)


def text_run(steps, corrections=1, text_share=1.0):
    phase = Phase(steps=steps, side=64, photos=1, objects=3, corrections=corrections, text_share=text_share)
    learn = ("prompt_encoder", "mask_decoder", "text_projection")
    return Run(
        name="t", architecture="maskloop_debug", phases=(phase,), learn=learn, learning_rate=3e-3, warm_up_steps=5
    )


def trainer(run, model, source, folder):
    return Trainer(run, model, MaskLesson(run, model, embedded=True), source, folder / "x.safetensors")


@pytest.fixture
def reader(minilm_folder, named):
    """A model that takes text, and the vectors of two words and of none."""
    torch.manual_seed(0)
    model = build_model("maskloop_debug")
    prepare_text(model, read_records(named), f"minilm:{minilm_folder}")
    vectors = text_encoder(f"minilm:{minilm_folder}").encode(["red disc", "zebra"])
    return model, np.concatenate([vectors, np.zeros((1, 16), np.float32)])


@pytest.fixture
def asked(reader):
    """What a model's decoder is asked from now on, a row at a time: its points with their labels, and its text's token."""
    model, rows, decode = reader[0], [], reader[0].decode

    def watch(embeddings, points, labels, mask=None, has_mask=None, text_B1C=None):
        for row in range(len(points)):
            said = sorted((*at, label) for at, label in zip(points[row].tolist(), labels[row].tolist(), strict=True))
            rows.append((said, None if text_B1C is None else text_B1C[row, 0].detach().clone()))
        return decode(embeddings, points, labels, mask, has_mask, text_B1C)

    model.decode = watch
    return rows


def test_a_named_objects_first_prompt_is_its_name_alone_and_the_name_stays(reader, asked, tmp_path):
    model, text_BD = reader
    with torch.no_grad():
        named_BC = model.text_projection(torch.from_numpy(text_BD[:2]))[:, 0]
    list(trainer(text_run(1, corrections=2), model, Whole(text_BD), tmp_path).train())
    first, *corrections = [asked[start : start + 3] for start in range(0, len(asked), 3)]
    assert [said for said, _ in first[:2]] == [[(0, 0, PADDING)]] * 2  # the name, and nothing else
    assert any(label != PADDING for *_, label in first[2][0])  # what has no name is pointed at
    assert len(corrections) == 2
    for one, other, nameless in (first, *corrections):
        torch.testing.assert_close(torch.stack([one[1], other[1]]), named_BC)
        assert nameless[1] is None
    assert (named_BC[0] - named_BC[1]).abs().max() > 0.1


@pytest.mark.parametrize("box_share", [0.0, 1.0])
def test_named_and_nameless_objects_of_one_batch_are_asked_for_as_at_inference(reader, asked, tmp_path, box_share):
    """No padding that a prompt alone would not have: it takes part in attention."""
    model, text_BD = reader
    run = text_run(1, corrections=2)
    run = replace(run, phases=(replace(run.phases[0], annotator="published", box_share=box_share),))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    list(trainer(run, model, Whole(text_BD), tmp_path).train())
    taught = list(asked)
    assert len(taught) == 3 * 5
    asked.clear()
    model.load_state_dict(before)
    predictor, photo = Predictor(model), EmbeddedPhoto(Whole(text_BD).embedding[0].numpy(), (64, 64))
    for number, (said, _) in enumerate(taught):
        points = [(x + 0.5, y + 0.5) for x, y, label in said if label in (BACKGROUND, FOREGROUND)]
        labels = [int(label) for *_, label in said if label in (BACKGROUND, FOREGROUND)]
        corners = {label: (x, y) for x, y, label in said}
        box = (*corners[BOX_START], *corners[BOX_END]) if BOX_START in corners else None
        text = text_BD[number % 3] if number % 3 < 2 else None
        predictor.predict(photo, Prompt(points, labels, box=box, text=text))
    for (said, token), (wanted, wanted_token) in zip(taught, asked, strict=True):
        np.testing.assert_allclose(said, wanted, atol=1e-4)
        torch.testing.assert_close(token, wanted_token)


def test_without_a_share_for_texts_the_losses_are_those_of_before(tmp_path):
    """Runs of the other recipes, named objects or not."""
    losses = []
    for text_BD in (None, np.eye(3, 16, dtype=np.float32)):
        torch.manual_seed(0)
        model = build_model("maskloop_debug")
        (line, _) = trainer(text_run(1, text_share=0.0), model, Whole(text_BD), tmp_path).train()
        losses.append(line["loss"])
    assert losses[0] == losses[1]


def test_a_model_learns_which_half_a_word_means(reader, tmp_path):
    model, text_BD = reader
    source = Whole(text_BD[:2])
    run = text_run(80, corrections=0)
    phase = replace(run.phases[0], from_nothing=True)
    run = replace(run, phases=(phase,), average=0.5)
    list(trainer(run, model, source, tmp_path).train())
    learnt = load_checkpoint(tmp_path / "x.safetensors")
    with torch.inference_mode():
        tokens = learnt.text_tokens(torch.from_numpy(text_BD[:2]))
        padding = torch.zeros(2, 1, 2), torch.full((2, 1), PADDING)
        logits, _ = learnt.decode(source.embedding, *padding, text_B1C=tokens)
    # The single mask: of the three, each could have a half for its own, whatever the word.
    masks, truth = logits[:, 0].numpy() > 0, source.truth[:2]
    assert ((masks & truth).sum(axis=(1, 2)) / (masks | truth).sum(axis=(1, 2)) > 0.9).all()


def test_the_recipe_text_adds_a_projection_and_leaves_the_photos_embeddings_valid(
    named, weights, minilm_folder, tmp_path, capsys
):
    out = tmp_path / "text.safetensors"
    spec = f"minilm:{minilm_folder}"
    common = ["--data", str(named), "--init", str(weights), "--out", str(out), "--text-encoder", spec, "--json"]
    assert main(["train", "debug_text", *common]) == 0, capsys.readouterr().err
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    before, after = describe_checkpoint(weights), describe_checkpoint(out)
    assert after.encoder_hash == before.encoder_hash
    assert after.config["text"]["encoder"] == "minilm"
    assert "/" not in json.dumps(after.config["text"])  # nothing of where the encoder lay
    photo = str(named / "images" / "0.png")
    ask = ["predict", photo, "--text", "zebra", "--checkpoint", str(out), "--out", str(tmp_path / "out")]
    assert main([*ask, "--text-encoder", spec]) == 0, capsys.readouterr().err
    assert len(json.loads((tmp_path / "out" / "0.json").read_text())["annotations"]) == 3
    assert main([*ask, "--text-encoder", "minilm:/nowhere"]) == 2
    assert capsys.readouterr().err == "engine: there is no folder '/nowhere' with a text encoder\n"


def test_training_on_with_another_text_encoder_is_refused(reader, named, clip_folder):
    with pytest.raises(CheckpointInvalid, match="was trained on the text encoder minilm"):
        prepare_text(reader[0], read_records(named), f"clip:{clip_folder}")


def test_with_clip_a_run_learns_from_pictures_and_is_asked_with_words(named, weights, clip_folder, tmp_path, capsys):
    for kind in ("images", "masks"):  # objects of 100^2 px and more
        for path in (named / kind).glob("*.png"):
            large = cv2.resize(
                cv2.imread(str(path), cv2.IMREAD_UNCHANGED), None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST
            )
            cv2.imwrite(str(path), large)
    out, spec = tmp_path / "clip.safetensors", f"clip:{clip_folder}"
    common = ["--data", str(named), "--init", str(weights), "--out", str(out), "--text-encoder", spec, "--steps", "1"]
    assert main(["train", "debug_text", *common]) == 0, capsys.readouterr().err
    photo = named / "images" / "0.png"
    ask = ["predict", str(photo), "--checkpoint", str(out), "--text-encoder", spec, "--out", str(tmp_path / "out")]
    assert main([*ask, "--text", "dog"]) == 0, capsys.readouterr().err
    assert len(json.loads((tmp_path / "out" / "0.json").read_text())["annotations"]) == 3


def test_the_recipes_of_text_learn_the_projection_and_only_one_of_them_the_image_encoder():
    learn = {name: set(RECIPES[name]().learn) for name in ("text", "text_whole")}
    assert all({"prompt_encoder", "mask_decoder", "text_projection"} <= parts for parts in learn.values())
    assert [("image_encoder" in parts) for parts in learn.values()] == [False, True]
