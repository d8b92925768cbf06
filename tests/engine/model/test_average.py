"""One checkpoint between two."""

import pytest
import torch

from engine.cli import main
from engine.model.average import average
from engine.model.build import build_model
from engine.model.checkpoint import load_checkpoint, save_checkpoint


@pytest.fixture
def two(tmp_path, weights):
    """A model, and another of its lineage."""
    after = load_checkpoint(weights)
    with torch.no_grad():
        for parameter in after.parameters():
            parameter += torch.randn_like(parameter) * 0.1
    save_checkpoint(after, tmp_path / "after.safetensors", recipe="none")
    return weights, tmp_path / "after.safetensors"


def test_every_weight_lies_its_share_of_the_way_between_the_two(two, tmp_path):
    before, after = (load_checkpoint(file).state_dict() for file in two)
    for share in ("0.5", "0.25"):
        out = tmp_path / f"{share}.safetensors"
        assert main(["average", *map(str, two), "--share", share, "--out", str(out)]) == 0
        for name, found in load_checkpoint(out).state_dict().items():
            wanted = (
                before[name] + float(share) * (after[name] - before[name]) if found.is_floating_point() else after[name]
            )
            torch.testing.assert_close(found, wanted, atol=2e-3, rtol=2e-3)  # stored as float16


def test_all_of_the_way_is_the_other_model(two):
    before, after = map(load_checkpoint, two)
    wanted = after.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in average(before, after, 1.0).state_dict().items())


def test_models_of_two_architectures_have_no_mean(two, tmp_path, capsys):
    save_checkpoint(build_model("maskloop_tiny"), tmp_path / "tiny.safetensors", recipe="none")
    given = ["average", str(two[0]), str(tmp_path / "tiny.safetensors"), "--out", str(tmp_path / "x.safetensors")]
    assert main(given) == 2
    assert "one architecture" in capsys.readouterr().err
    assert not (tmp_path / "x.safetensors").exists()
