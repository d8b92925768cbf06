"""Where models compute."""

import numpy as np
import pytest
import torch

from engine import api
from engine.cli import main
from engine.errors import DeviceUnavailable, EngineError

PHOTO = np.zeros((48, 64, 3), np.uint8)


@pytest.fixture
def here(monkeypatch):
    monkeypatch.delenv("MASKLOOP_DEVICE", raising=False)
    return lambda device: monkeypatch.setenv("MASKLOOP_DEVICE", device)


def test_without_a_setting_the_gpu_computes_where_there_is_one_and_else_the_cpu(here, monkeypatch):
    assert api.hardware()["device"] == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "a large one")
    assert (api.hardware()["device"], api.hardware()["gpus"], api.hardware()["name"]) == ("cuda", 2, "a large one")
    here("cpu")
    assert (api.hardware()["device"], api.hardware()["gpus"]) == ("cpu", 0), "told so, the GPU is left to others"


def test_told_to_use_the_cpu_it_answers_as_it_does_without_a_gpu(here, weights):
    here("cpu")
    assert api.embed_image(PHOTO, checkpoint=weights).shape == (32, 8, 8)


def test_a_device_that_is_none_or_not_there_is_named_and_counts_against_no_photo(here, weights, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device, why in (("gpu", "is cpu or cuda, not 'gpu'"), ("cuda", "finds no GPU here")):
        here(device)
        with pytest.raises(DeviceUnavailable, match=why) as refused:
            api.embed_image(PHOTO, checkpoint=weights)
        assert not isinstance(refused.value, EngineError)


def test_models_and_detectors_are_loaded_to_the_device_that_was_found(weights, label_maps, tmp_path, monkeypatch):
    """Torch's meta device is every machine's second one; it has shapes only, so nothing can be answered there."""
    file = tmp_path / "detector.safetensors"
    data = ["--data", str(label_maps), "--checkpoint", str(weights)]
    (tmp_path / "complete.txt").write_text("0\n1\n2\n3\n")
    given = ["--complete", str(tmp_path / "complete.txt"), "--steps", "2", "--out", str(file)]
    assert main(["detector", "train", *data, *given]) == 0
    monkeypatch.setattr(api, "hardware", lambda: {"device": "meta"})
    assert api._load(weights, 0).device.type == "meta"
    head = api._load_detector(file, 0).head
    assert {tensor.device.type for tensor in head.state_dict().values()} == {"meta"}
