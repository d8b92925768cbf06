"""python -m engine: what it writes, and its exit status."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from pycocotools import mask as coco

from engine.cli import main
from engine.inference import everything
from engine.model.checkpoint import save_checkpoint


@pytest.fixture
def engine(weights, capsys):
    """The command in this process, which spares loading torch each time: its status, and what it said."""

    def run(*arguments, checkpoint=True):
        try:
            status = main([*map(str, arguments), *(["--checkpoint", str(weights)] if checkpoint else [])])
        except SystemExit as ended:  # as argparse does
            status = ended.code
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, said.out, said.err)

    return run


def child(*arguments, python=()):
    command = [sys.executable, *python, "-m", "engine", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_predict_writes_an_sa1b_json_and_an_overlay(weights, label_maps, tmp_path):
    photo = label_maps / "images" / "1.png"
    arguments = ("predict", photo, "--point", "30.5,20.5", "--out", tmp_path / "out", "--checkpoint", weights)
    done = child(*arguments, python=("-X", "importtime"))
    assert done.returncode == 0, done.stderr
    assert "engine.model.checkpoint" in done.stderr
    assert "torch._dynamo" not in done.stderr, "torch's compiler was loaded, which takes longer than the answer"
    content = json.loads((tmp_path / "out" / "1.json").read_text())
    assert (content["image"]["width"], content["image"]["height"]) == (64, 48)
    assert len(content["annotations"]) == 3
    for annotation in content["annotations"]:
        assert coco.decode(annotation["segmentation"]).sum() == annotation["area"]
    assert (tmp_path / "out" / "1_overlay.jpg").stat().st_size > 100


def test_logits_that_predict_wrote_are_a_mask_prompt_of_its_next_call(engine, label_maps, tmp_path):
    photo = label_maps / "images" / "1.png"
    first = engine("predict", photo, "--point", "30.5,20.5", "--out", tmp_path, "--logits", tmp_path / "first.npy")
    assert first.returncode == 0, first.stderr
    assert np.load(tmp_path / "first.npy").shape == (32, 32)
    again = ("predict", photo, "--point", "30.5,20.5", "--mask", tmp_path / "first.npy", "--out", tmp_path / "again")
    done = engine(*again)
    assert done.returncode == 0, done.stderr
    of_mask = json.loads((tmp_path / "again" / "1.json").read_text())["annotations"]
    assert len(of_mask) == 1  # no longer ambiguous
    careful = engine(*again, "--stability-fallback", "--logits", tmp_path / "careful.npy")
    assert careful.returncode == 0, careful.stderr
    # Random weights: logits of about 0.1, so the single mask is unstable, and gives way to one of the three.
    kept = json.loads((tmp_path / "again" / "1.json").read_text())["annotations"]
    assert kept[0]["segmentation"] != of_mask[0]["segmentation"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "No such file"),
        (b"not numbers", "is not an array of NumPy's"),
        (np.zeros((48, 64), np.float32), "a mask prompt is 32 x 32 logits"),
        (np.array(["a"]), "is not an array of numbers"),
        (np.full((32, 32), np.nan, np.float32), "NaN"),
        (np.array([{}]), "is not an array of NumPy's"),
    ],
)
def test_a_mask_prompt_that_is_none_is_one_sentence(content, sentence, engine, label_maps, tmp_path):
    file = tmp_path / "mask.npy"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        np.save(file, content, allow_pickle=True)
    done = engine("predict", label_maps / "images" / "1.png", "--mask", file, "--out", tmp_path)
    assert done.returncode == (1 if content is None else 2)
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", [b"[1, 2", b"\xff\xfe\x00bad"])
def test_a_list_of_names_that_cannot_be_read_is_one_sentence(content, engine, label_maps, tmp_path):
    (tmp_path / "names").write_bytes(content)
    done = engine("evaluate", "clicks", "--data", label_maps, "--only", tmp_path / "names")
    assert done.returncode == 2
    assert "names is neither a json list of names nor one a line" in done.stderr


def test_everything_writes_one_json_a_photo(engine, label_maps, tmp_path):
    photos = [label_maps / "images" / f"{n}.png" for n in (0, 1)]
    done = engine("everything", *photos, "--points-per-side", 4, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "0.json").exists()
    assert (tmp_path / "out" / "1.json").exists()


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ([], (0.88, 0.95, 1.0)),
        (["--preset", "maskloop"], (0.5, 0.4, 0.5)),
        (["--min-stability", "0.6"], (0.88, 0.6, 1.0)),
    ],
)
def test_everything_takes_the_released_limits_for_a_published_model_unless_told_otherwise(
    options, limits, engine, model, label_maps, tmp_path, monkeypatch
):
    published, asked = tmp_path / "published.safetensors", []
    model.architecture = replace(model.architecture, name="sam_vit_b")  # in name: the real one is large
    save_checkpoint(model, published, recipe="none")
    monkeypatch.setattr(
        everything, "label_everything", lambda _model, _photo, settings, **_: asked.append(settings) or []
    )
    photo = label_maps / "images" / "0.png"
    done = engine("everything", photo, "--out", tmp_path, "--checkpoint", published, *options, checkpoint=False)
    assert done.returncode == 0, done.stderr
    assert [(one.min_predicted_iou, one.min_stability, one.stability_offset) for one in asked] == [limits]


def test_evaluate_clicks_writes_the_report(engine, label_maps, tmp_path):
    out = tmp_path / "report.json"
    done = engine("evaluate", "clicks", "--data", label_maps, "--json", out, "--limit", 2, "--clicks", 9)
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    assert {"checkpoint", "data", "images", "objects", "miou", "oracle", "noc85", "noc90", "failures90"} < set(report)
    assert report["images"] == 2
    assert set(report["miou"]) == {"1", "2", "3", "5", "9"}
    assert 0 <= report["miou"]["1"] <= report["oracle"]["1"] <= 1


def test_export_onnx_names_the_decoder_by_its_hash(engine, weights, tmp_path):
    from engine.api import describe_checkpoint

    done = engine("export-onnx", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / f"{describe_checkpoint(weights).decoder_hash}.onnx").stat().st_size > 1000


def test_checkpoints_lists_the_default_one(engine):
    done = engine("checkpoints", checkpoint=False)
    assert done.returncode == 0
    assert "maskloop_tiny" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "no such photo.jpg", "--point", "1,1", "--out", "{tmp}"),
        ("predict", "{photo}", "--point", "1;1", "--out", "{tmp}"),
        ("predict", "{photo}", "--point", "9999,1", "--out", "{tmp}"),
        ("predict", "{photo}", "--out", "{tmp}"),
        ("predict", "{photo}", "--text", "zebra", "--out", "{tmp}"),  # the checkpoint takes no text
        ("evaluate", "clicks", "--data", "{tmp}/nothing"),
        ("everything", "{photo}", "--points-per-side", "0", "--out", "{tmp}"),
        ("no-such-verb",),
    ],
)
def test_bad_input_is_status_2_and_one_sentence(engine, label_maps, tmp_path, arguments):
    photo = label_maps / "images" / "1.png"
    done = engine(*(a.format(photo=photo, tmp=tmp_path / "out") for a in arguments))
    assert done.returncode == 2
    *usage, said = done.stderr.splitlines()
    assert re.match(r"(python -m )?engine[\w -]*: ", said)
    assert not usage or usage[0].startswith("usage: "), "argparse tells its usage before the sentence"


def test_a_place_that_begins_with_a_minus_is_a_place_and_no_option(label_maps, weights, tmp_path, capsys):
    photo = str(label_maps / "images" / "1.png")
    predict = ["predict", photo, "--out", str(tmp_path), "--checkpoint", str(weights)]
    assert main([*predict, "--point", "-1,5"]) == 2
    assert "the point (-1, 5) is outside the photo, 64 x 48 px" in capsys.readouterr().err
    assert main([*predict, "--box", "-.5,0,10,10"]) == 2
    assert "outside the photo" in capsys.readouterr().err


def test_a_missing_checkpoint_is_status_2(label_maps, tmp_path):
    photo = label_maps / "images" / "1.png"
    done = child("predict", photo, "--point", "1,1", "--out", tmp_path, "--checkpoint", "nobody")
    assert done.returncode == 2
    assert done.stderr == "engine: there is no checkpoint 'nobody', neither as a file nor as a name\n"
