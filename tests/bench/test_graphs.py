"""The graphs that a click's rows are measured on."""

import numpy as np
import onnxruntime
import pytest

from engine.api import DEFAULT_CHECKPOINT
from engine.inference.onnx_export import export_decoder_onnx
from engine.model.build import build_model
from engine.model.checkpoint import load_checkpoint
from tests.bench.engine import export_published, lone_click


@pytest.mark.parametrize("takes_text", [True, False])
def test_both_are_given_all_that_they_take_and_answer_alike(tmp_path, takes_text):
    model = load_checkpoint(DEFAULT_CHECKPOINT) if takes_text else build_model("maskloop_tiny")
    assert (model.architecture.text is not None) == takes_text
    answers = []
    for export in (export_decoder_onnx, export_published):
        export(model.eval(), tmp_path / "decoder.onnx")
        session = onnxruntime.InferenceSession(tmp_path / "decoder.onnx")
        answers.append(session.run(None, lone_click(model)))
    for ours, published in zip(*answers, strict=True):
        assert np.abs(ours - published).max() < 1e-3
