"""python -m engine evaluate: every evaluation from the command line, in this process."""

import io
import json

import cv2
import numpy as np
import pytest

from engine.cli import main
from engine.cli.evaluate import EVALUATIONS, WITHOUT_MODEL
from engine.cli.progress import with_progress
from engine.model.checkpoint import save_checkpoint
from engine.model.text import TextProjection, text_encoder


@pytest.fixture
def annotated(label_maps):
    """The label maps, and two people's partitions and boundaries of each photo."""
    (label_maps / "boundaries").mkdir()
    values = {p.stem: cv2.imread(str(p), cv2.IMREAD_UNCHANGED).max() for p in (label_maps / "masks").iterdir()}
    named = {name: {"labels": ["zebra", "wall", "dog"][:count]} for name, count in values.items()}
    (label_maps / "instances.json").write_text(json.dumps(named))
    for path in list((label_maps / "masks").glob("*.png")):
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        edge = cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
        for person in (0, 1):
            cv2.imwrite(str(label_maps / "masks" / f"{path.stem}_{person}.png"), np.minimum(labels, 2 - person) + 1)
            cv2.imwrite(str(label_maps / "boundaries" / f"{path.stem}_{person}.png"), edge.astype(np.uint8) * 255)
    return label_maps


@pytest.fixture
def takes_text(model, minilm_folder, tmp_path):
    encoder = text_encoder(f"minilm:{minilm_folder}")
    model.take_text(TextProjection.Config(width=encoder.width, encoder=encoder.name, fingerprint=encoder.fingerprint))
    save_checkpoint(model, tmp_path / "text.safetensors", recipe="none")
    return tmp_path / "text.safetensors"


@pytest.mark.parametrize("what", EVALUATIONS)
def test_each_evaluation_writes_a_report_and_says_it_in_words(
    what, annotated, weights, takes_text, minilm_folder, tmp_path, capsys
):
    weights = takes_text if what == "text" else weights
    few = [
        "--text-encoder",
        f"minilm:{minilm_folder}",
        "--limit",
        "1",
        "--clicks",
        "2",
        "--points-per-side",
        "2",
        "--thresholds",
        "3",
    ]
    arguments = [
        "evaluate",
        what,
        "--data",
        annotated,
        "--checkpoint",
        weights,
        "--json",
        tmp_path / "report.json",
        *few,
    ]
    assert main([str(argument) for argument in arguments]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["evaluation"] == what
    assert report["images"] == 1
    assert ("checkpoint" in report) == (what not in WITHOUT_MODEL)
    said = capsys.readouterr()
    assert said.out.startswith("1 images")
    assert said.err == ""  # no progress bar where there is no terminal


@pytest.mark.parametrize("what", ["regions", "boxes", "edges", "proposals", "canny"])
def test_pictures_of_the_worst_and_best_are_written(what, annotated, weights, tmp_path):
    arguments = ["evaluate", what, "--data", annotated, "--checkpoint", weights, "--pictures", tmp_path, "--limit", 1]
    few = ["--points-per-side", 2, "--thresholds", 3]
    assert main([str(argument) for argument in arguments + few]) == 0
    for name in ("worst", "best"):
        assert cv2.imread(str(tmp_path / f"{name}.jpg")).shape[0] >= 256


@pytest.mark.parametrize(
    "arguments",
    [
        ["clicks", "--limit", "0"],
        ["edges", "--thresholds", "0"],
        ["proposals", "--points-per-side", "1000"],
        ["boxes", "--passes", "3"],
        ["superpixel", "--pictures", "somewhere"],
        ["boxes", "--boxes", "{data}/masks/0.png"],
        ["text"],  # of a checkpoint that takes none
    ],
)
def test_options_out_of_range_are_status_2_and_one_sentence(arguments, annotated, weights, capsys):
    given = [argument.format(data=annotated) for argument in arguments]
    assert main(["evaluate", *given, "--data", str(annotated), "--checkpoint", str(weights)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("engine: ")
    assert said.count("\n") == 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_which_photo_and_how_long_the_rest_takes():
    terminal = Terminal()
    assert list(with_progress(["a", "b", "c"], "photo", terminal)) == ["a", "b", "c"]
    shown = terminal.getvalue()
    assert "photo 1 of 3" in shown
    assert "photo 3 of 3, 0:00 left" in shown
    assert shown.endswith("\r\x1b[K")  # and nothing of it stays
