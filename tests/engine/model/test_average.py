"""One checkpoint between two."""

import pytest
import torch

from engine.cli import main
from engine.errors import CheckpointInvalid
from engine.model.average import average
from engine.model.build import build_model
from engine.model.checkpoint import describe_checkpoint, load_checkpoint, save_checkpoint
from engine.model.text import TextProjection


@pytest.fixture
def two(tmp_path, weights):
    """A model, and another of its lineage."""
    after = load_checkpoint(weights)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in after.parameters():
            parameter += torch.randn(parameter.shape, generator=generator) * 0.1
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


@pytest.mark.parametrize("which", [0, 1])
def test_a_text_projection_that_one_of_them_has_is_the_means(two, which):
    models = [load_checkpoint(file) for file in two]
    models[which].take_text(TextProjection.Config(width=16, encoder="minilm", fingerprint="0"))
    wanted = {name: value.clone() for name, value in models[which].text_projection.state_dict().items()}
    own, others = ({name: value.clone() for name, value in model.state_dict().items()} for model in models)
    found = average(*models, 0.5)
    assert found.text_config() == TextProjection.Config(width=16, encoder="minilm", fingerprint="0")
    for name, value in found.text_projection.state_dict().items():
        assert torch.equal(value, wanted[name])
    shared = [name for name in own.keys() & others.keys() if own[name].is_floating_point()]
    assert all(torch.equal(found.state_dict()[name], own[name].lerp(others[name], 0.5)) for name in shared)


def test_projections_of_two_encoders_of_text_have_no_mean(two):
    before, after = map(load_checkpoint, two)
    before.take_text(TextProjection.Config(width=16, encoder="minilm", fingerprint="0"))
    after.take_text(TextProjection.Config(width=16, encoder="clip", fingerprint="0"))
    with pytest.raises(CheckpointInvalid, match="one text encoder"):
        average(before, after)


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("CC-BY-NC-4.0", "CC-BY-NC-4.0", "CC-BY-NC-4.0"),
        ("CC-BY-NC-4.0", "Apache-2.0", "Apache-2.0 AND CC-BY-NC-4.0"),
        ("", "Apache-2.0", ""),  # who does not know one knows none
    ],
)
def test_the_mean_has_the_licences_of_both(model, tmp_path, before, after, wanted):
    two = [tmp_path / "before.safetensors", tmp_path / "after.safetensors"]
    for file, licence in zip(two, (before, after), strict=True):
        save_checkpoint(model, file, recipe="none", licence=licence)
    out = tmp_path / "mean.safetensors"
    assert main(["average", *map(str, two), "--out", str(out)]) == 0
    assert describe_checkpoint(out).licence == wanted


def test_models_of_two_architectures_have_no_mean(two, tmp_path, capsys):
    save_checkpoint(build_model("maskloop_tiny"), tmp_path / "tiny.safetensors", recipe="none")
    given = ["average", str(two[0]), str(tmp_path / "tiny.safetensors"), "--out", str(tmp_path / "x.safetensors")]
    assert main(given) == 2
    assert "one architecture" in capsys.readouterr().err
    assert not (tmp_path / "x.safetensors").exists()
