"""State files."""

import errno
import json

import pytest
import torch

from engine.errors import DataInvalid
from engine.recipes import RECIPES
from engine.training.state import read_state, run_fingerprint, save_state
from tests.disks import can_mount, fill, small_disk


@pytest.mark.parametrize("megabytes", [1, 8])
def test_a_full_disk_is_said_to_be_full_and_the_state_before_stays(tmp_path, megabytes):
    """Whether nothing fits at all, or the disk is full in the middle of the file."""
    if not can_mount(tmp_path):
        pytest.skip("a disk of its own can be mounted by root only")
    with small_disk(tmp_path, megabytes):
        save_state(tmp_path / "state", {"step": 1})
        if megabytes == 1:
            fill(tmp_path)
        with pytest.raises(OSError, match="No space left") as refused:
            save_state(tmp_path / "state", {"step": 2, "weights": torch.ones(4 * 2**20)})
        assert refused.value.errno == errno.ENOSPC
        assert torch.load(tmp_path / "state", weights_only=True) == {"step": 1}
        assert not (tmp_path / "state.part").exists()


def test_a_state_from_before_a_setting_existed_is_of_a_run_with_that_settings_default(tmp_path):
    plain, muon = (run_fingerprint(RECIPES[name](), 1, validated=False) for name in ("larger", "further"))
    settings, validated = json.loads(plain)
    del settings["optimizer"]
    for phase in settings["phases"]:
        del phase["scale_drawn"]
    save_state(tmp_path / "state", {"run": json.dumps([settings, validated], sort_keys=True), "step": 7})
    assert read_state(tmp_path / "state", run=plain, given={})["step"] == 7
    with pytest.raises(DataInvalid, match="other settings"):
        read_state(tmp_path / "state", run=muon, given={})


def test_a_state_from_before_a_recipe_was_known_to_go_on_with_weights_is_of_that_recipe(tmp_path):
    settings, validated = json.loads(now := run_fingerprint(RECIPES["longer"](), 1, validated=False))
    del settings["goes_on"]
    save_state(tmp_path / "state", {"run": json.dumps([settings, validated], sort_keys=True), "step": 7})
    assert read_state(tmp_path / "state", run=now, given={})["step"] == 7
