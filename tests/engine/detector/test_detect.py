"""Detected boxes, and the files detectors live in."""

import json
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch

from engine.detector.calibration import Calibration, fit_calibration
from engine.detector.detect import Detector, propose
from engine.detector.files import describe_detector, read_detector, save_detector
from engine.detector.head import DetectorHead, Prediction
from engine.detector.quality import Quality, fit_quality
from engine.errors import DetectorInvalid, PromptInvalid

CONFIG = DetectorHead.Config(channels=6, grid=8, image_side=64, hidden=8, dilations=(1,), size_bounds=(0.25, 0.5))
AS_IS = Calibration(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
OF_NO_MASKS = fit_quality([], "d" * 64)


class Says(DetectorHead):
    """A head that answers what a test puts into its mouth: (class, row, column) -> (logit, box in the model frame)."""

    def __init__(self, answers):
        super().__init__(CONFIG)
        self.answers = answers

    def forward(self, embedding_BCGG, photo_B2):
        logits, boxes = torch.full((1, 3, 8, 8), -200.0), torch.zeros(1, 3, 8, 8, 4)
        for (size, row, column), (logit, box) in self.answers.items():
            logits[0, size, row, column], boxes[0, size, row, column] = logit, torch.tensor(box)
        return Prediction(logits, boxes)


def detect(answers, size=(48, 64), **options):
    detector = Detector(Says(answers), AS_IS, OF_NO_MASKS, "e" * 64)
    return detector.detect(np.zeros((6, 8, 8), np.float16), size, encoder_hash="e" * 64, **options)


def test_boxes_come_back_in_the_photos_pixels_and_inside_it():
    # 96 x 128 px: the model frame is half as large.
    (one,) = detect({(1, 2, 2): (0.0, [8.0, 10.0, 30.0, 22.0])}, size=(96, 128))
    assert one.box == (16, 20, 60, 44)
    assert one.confidence == pytest.approx(0.5)
    (one,) = detect({(2, 2, 2): (0.0, [-5.0, -5.0, 80.0, 60.0])}, size=(96, 128))
    assert one.box == (0, 0, 128, 96)


def test_the_best_come_first_and_one_object_has_one_box():
    answers = {
        (1, 1, 1): (1.0, [0.0, 0, 20, 20]),
        (1, 1, 2): (2.0, [0.0, 1, 20, 20]),  # the same object, better
        (0, 1, 2): (0.5, [5.0, 5, 15, 15]),  # a part of it
        (2, 4, 4): (3.0, [0.0, 0, 64, 48]),
    }
    found = detect(answers)
    assert [one.box for one in found] == [(0, 0, 64, 48), (0, 1, 20, 20), (5, 5, 15, 15)]
    assert [one.box for one in detect(answers, limit=1)] == [(0, 0, 64, 48)]
    assert len(detect(answers, min_confidence=0.8)) == 2


def test_nothing_is_detected_in_the_padding_nor_without_area():
    answers = {
        (1, 7, 2): (5.0, [0.0, 0, 20, 20]),  # a cell below the photo's lower edge
        (1, 1, 1): (5.0, [10.0, 50, 30, 60]),  # a box below it
        (1, 2, 1): (5.0, [10.0, 10, 30, 10.5]),  # half a pixel high
    }
    assert detect(answers) == []


def test_equal_confidences_keep_the_order_of_scores():
    flat = Calibration(np.array([0.0, 1.0]), np.array([0.4, 0.4]))
    answers = {(0, 1, 1): (1.0, [0.0, 0, 9, 9]), (0, 3, 3): (2.0, [20.0, 20, 29, 29])}
    found = Detector(Says(answers), flat, OF_NO_MASKS, "e").detect(np.zeros((6, 8, 8)), (64, 64), encoder_hash="e")
    assert [one.box[0] for one in found] == [20, 0]


def test_an_embedding_of_another_encoder_or_shape_is_refused():
    detector = Detector(DetectorHead(CONFIG), AS_IS, OF_NO_MASKS, "a" * 64)
    with pytest.raises(DetectorInvalid, match="of the encoder aaaaaaaaaaaa, not of bbbbbbbbbbbb"):
        detector.detect(np.zeros((6, 8, 8)), (48, 64), encoder_hash="b" * 64)
    with pytest.raises(DetectorInvalid, match=r"embeddings of \(6, 8, 8\), not \(6, 4, 4\)"):
        detector.detect(np.zeros((6, 4, 4)), (48, 64), encoder_hash="a" * 64)
    with pytest.raises(PromptInvalid, match="at least 1 px"):
        detector.detect(np.zeros((6, 8, 8)), (0, 64), encoder_hash="a" * 64)
    with pytest.raises(PromptInvalid, match="finite"):
        detector.detect(np.full((6, 8, 8), np.nan), (48, 64), encoder_hash="a" * 64)


def test_photos_of_every_proportion_get_boxes_with_area_inside_them():
    torch.manual_seed(0)
    head = DetectorHead(CONFIG)
    for height, width in ((1, 1), (1, 20_000), (300, 7), (48, 64)):
        boxes, scores = propose(head, np.ones((6, 8, 8), np.float16), (height, width))
        assert len(boxes) == len(scores)
        assert (np.diff(scores) <= 0).all()
        assert (boxes[:, 2:] - boxes[:, :2] >= 1).all()
        assert (boxes >= 0).all()
        assert (boxes[:, 2:] <= [width, height]).all()


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(1)
    rng = np.random.default_rng(0)
    scores = np.sort(rng.random(60))
    calibration = fit_calibration([(scores, rng.random(60) < scores), (scores, rng.random(60) < scores)])
    path = tmp_path / "detector.safetensors"
    of_masks = fit_calibration([(scores, rng.random(60) < 0.5 * scores)])
    quality = Quality(rng.random(7), 1 + rng.random(7), rng.random(8), of_masks, "c" * 64)
    save_detector(path, DetectorHead(CONFIG), calibration, quality, encoder_hash="a" * 64, training={"steps": 3})
    return path


def test_a_detector_comes_back_as_it_was_saved_and_saves_as_the_same_bytes(file, tmp_path):
    info, head, calibration, quality = read_detector(file)
    assert (info.encoder_hash, info.decoder_hash) == ("a" * 64, "c" * 64)
    assert info.embedding_shape == (6, 8, 8)
    assert head.config == CONFIG
    assert calibration.thresholds
    assert quality.calibration.thresholds
    again = tmp_path / "again.safetensors"
    assert save_detector(again, head, calibration, quality, encoder_hash="a" * 64, training={"steps": 3}) == info
    assert again.read_bytes() == file.read_bytes()


def test_a_header_is_read_without_torch(file):
    code = f"""
import pathlib, sys
from engine import api
info = api.describe_detector(pathlib.Path({str(file)!r}))
assert api.proposal_thresholds(pathlib.Path({str(file)!r}))
assert info.embedding_shape == (6, 8, 8)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_that_is_no_detector_is_refused_with_a_sentence(file, weights, tmp_path):
    whole = file.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    header = json.loads(whole[8 : 8 + length])
    content = json.loads(header["__metadata__"]["maskloop"])

    def with_content(**changed):
        header["__metadata__"]["maskloop"] = json.dumps(content | changed, sort_keys=True)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + whole[8 + length :]

    cases = {
        "cut short": (whole[:-9], "is not a detector that can be read"),
        "changed": (whole[:-1] + bytes([whole[-1] ^ 1]), "not what its hash was made of"),
        "text": (b"hello there, I am no detector", "is not a detector that can be read"),
        "another encoder's": (with_content(encoder_hash="b" * 64), "not what its hash was made of"),
        "of the future": (with_content(format="maskloop-detector-9"), "this version reads maskloop-detector-2"),
        "a checkpoint": (weights.read_bytes(), "lacks what a Maskloop detector has"),
    }
    for name, (written, why) in cases.items():
        (tmp_path / name).write_bytes(written)
        for read in (describe_detector, Detector.load):
            with pytest.raises(DetectorInvalid, match=why):
                read(tmp_path / name)
    with pytest.raises(DetectorInvalid, match="no such file"):
        describe_detector(tmp_path / "nothing")
