"""python -m engine detector: train, evaluate, detect."""

import json

import cv2
import numpy as np
import pytest

from engine.cli import main
from engine.data.records import read_records
from engine.errors import DataInvalid
from engine.model.checkpoint import save_checkpoint
from tests.conftest import scene


@pytest.fixture
def eight_photos(tmp_path):
    folder = tmp_path / "eight"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for seed in range(8):
        rgb, masks = scene(48, 64, seed)
        labels = (masks * np.arange(1, len(masks) + 1, dtype=np.uint8)[:, None, None]).max(axis=0)
        cv2.imwrite(str(folder / "images" / f"{seed}.png"), rgb[..., ::-1])
        cv2.imwrite(str(folder / "masks" / f"{seed}.png"), labels)
    (folder / "instances.json").write_text(json.dumps({str(n): {"n": 3, "complete": True} for n in range(5)}))
    return folder


def test_a_label_map_folder_says_which_photos_are_complete(eight_photos):
    records = read_records(eight_photos)
    assert [record.complete for record in records] == [True] * 5 + [None] * 3
    (eight_photos / "instances.json").write_text(json.dumps({"2": {"complete": "yes"}}))
    with pytest.raises(DataInvalid, match=r"instances\.json, 2: .complete. is true, false or null, not .yes."):
        read_records(eight_photos)


def test_a_manifest_and_a_coco_json_say_it_too(tmp_path):
    entry = {"id": "a", "image": None, "embedding": "a.f16", "size": [4, 4], "masks": []}
    lines = [entry | {"complete": True}, entry | {"id": "b", "complete": False}, entry | {"id": "c"}]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert [record.complete for record in read_records(tmp_path)] == [True, False, None]
    (tmp_path / "manifest.jsonl").write_text(json.dumps(entry | {"complete": 1}))
    with pytest.raises(DataInvalid, match=r"line 1: .complete. is true, false or null, not 1"):
        read_records(tmp_path)
    (tmp_path / "x.jpg").touch()
    photo = {"id": 1, "file_name": "x.jpg", "height": 4, "width": 4, "complete": True}
    (tmp_path / "x.json").write_text(json.dumps({"images": [photo], "annotations": []}))
    assert [record.complete for record in read_records(tmp_path / "x.json")] == [True]


def test_train_evaluate_and_detect(eight_photos, weights, tmp_path, capsys):
    detector = tmp_path / "detector.safetensors"
    common = ["--checkpoint", str(weights)]
    train = ["detector", "train", "--data", str(eight_photos), "--out", str(detector), "--steps", "3", "--json"]
    assert main([*train, *common]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"embedded": 8, "photos": 8}
    assert lines[-1]["done"] == str(detector)

    report_file, evaluate = tmp_path / "report.json", ["detector", "evaluate", "--detector", str(detector)]
    assert main([*evaluate, "--data", str(eight_photos), "--json", str(report_file), "--limit", "4", *common]) == 0
    report = json.loads(report_file.read_text())
    assert report["images"] == 4
    assert {"recall", "ap", "ar100", "calibration", "at_threshold", "intervals", "seconds_per_image"} < set(report)
    assert "cannot be promised" in capsys.readouterr().out  # of three steps nobody would expect it

    photo, out = eight_photos / "images" / "1.png", tmp_path / "out"
    detect = ["detector", "detect", str(photo), "--detector", str(detector), "--out", str(out)]
    assert main([*detect, *common]) == 0
    content = json.loads((out / "1_boxes.json").read_text())
    assert content["image"] == {"file_name": "1.png", "height": 48, "width": 64}
    assert content["detector_hash"] == lines[-1]["detector_hash"]
    assert all(0 <= one["box"][0] < one["box"][2] <= 64 and 0 <= one["confidence"] <= 1 for one in content["boxes"])
    assert (out / "1_boxes.jpg").stat().st_size > 100

    assert main([*detect, "--precision", "0.99", *common]) == 2
    assert "a precision of 0.99 cannot be promised" in capsys.readouterr().err


def test_of_complete_photos_without_an_object_nothing_is_said(eight_photos, weights, tmp_path, capsys):
    detector, report_file = tmp_path / "detector.safetensors", tmp_path / "report.json"
    train = ["detector", "train", "--data", str(eight_photos), "--out", str(detector), "--steps", "1"]
    assert main([*train, "--checkpoint", str(weights)]) == 0
    for name in range(8):
        cv2.imwrite(str(eight_photos / "masks" / f"{name}.png"), np.zeros((48, 64), np.uint8))
    evaluate = ["detector", "evaluate", "--detector", str(detector), "--data", str(eight_photos), "--limit", "2"]
    capsys.readouterr()
    assert main([*evaluate, "--json", str(report_file), "--checkpoint", str(weights)]) == 0
    said = capsys.readouterr().out
    assert "recall at IoU 0.5   –   [–], 100 boxes" in said
    assert "AR@100 –   AP –   AP at IoU 0.5 –" in said
    assert json.loads(report_file.read_text())["recall"] == {"0.5": None, "0.75": None}


def test_another_checkpoints_embeddings_never_meet_the_detector(eight_photos, weights, model, tmp_path, capsys):
    detector = tmp_path / "detector.safetensors"
    train = ["detector", "train", "--data", str(eight_photos), "--out", str(detector), "--steps", "1"]
    assert main([*train, "--checkpoint", str(weights)]) == 0
    model.image_encoder.neck[0].weight.data += 0.1
    save_checkpoint(model, tmp_path / "other.safetensors", recipe="none")
    photo = str(eight_photos / "images" / "1.png")
    detect = ["detector", "detect", photo, "--detector", str(detector), "--out", str(tmp_path / "out")]
    capsys.readouterr()
    assert main([*detect, "--checkpoint", str(tmp_path / "other.safetensors")]) == 2
    assert capsys.readouterr().err.startswith("engine: this detector reads embeddings of the encoder")
    assert not (tmp_path / "out").exists()


def test_who_is_complete_can_be_said_in_a_file(eight_photos, weights, tmp_path, capsys):
    names, out = tmp_path / "complete.txt", tmp_path / "detector.safetensors"
    train = ["detector", "train", "--data", str(eight_photos), "--out", str(out), "--steps", "1"]
    names.write_text("5\n6\n7\n")
    assert main([*train, "--complete", str(names), "--checkpoint", str(weights)]) == 2
    assert "3 of 8 photos are known to be complete" in capsys.readouterr().err
    names.write_text("4\n5\n6\n7\nand one that is left out\n")
    assert main([*train, "--complete", str(names), "--checkpoint", str(weights)]) == 0


def test_precision_is_not_measured_on_photos_that_are_not_complete(eight_photos, weights, tmp_path, capsys):
    detector = tmp_path / "detector.safetensors"
    train = ["detector", "train", "--data", str(eight_photos), "--out", str(detector), "--steps", "1"]
    assert main([*train, "--checkpoint", str(weights)]) == 0
    (eight_photos / "instances.json").write_text(json.dumps({str(n): {"complete": False} for n in range(8)}))
    (tmp_path / "names.txt").write_text("1\n2")
    evaluate = ["detector", "evaluate", "--detector", str(detector), "--data", str(eight_photos)]
    for more in ([], ["--only", str(tmp_path / "names.txt")]):
        assert main([*evaluate, *more, "--checkpoint", str(weights)]) == 2
        assert "no photo is known to be complete" in capsys.readouterr().err
