"""python -m engine: what it writes, and its exit status."""

import json
import subprocess
import sys

import pytest
from pycocotools import mask as coco

from engine.cli import main


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


def test_everything_writes_one_json_a_photo(engine, label_maps, tmp_path):
    photos = [label_maps / "images" / f"{n}.png" for n in (0, 1)]
    done = engine("everything", *photos, "--points-per-side", 4, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "0.json").exists()
    assert (tmp_path / "out" / "1.json").exists()


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
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


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
