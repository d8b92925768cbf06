"""Runs: the same with the same seed, and the same after a kill."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

COMMAND = [sys.executable, "-m", "engine", "train", "debug", "--json", "--threads", "1"]


def train(data, out, *more, seed=0):
    return [*COMMAND, "--data", str(data), "--out", str(out), "--seed", str(seed), *more]


def losses(output: str) -> dict[int, float]:
    lines = [json.loads(line) for line in output.splitlines()]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return losses(done.stdout)


@pytest.fixture
def whole(label_maps, tmp_path):
    found = run(train(label_maps, tmp_path / "whole.safetensors"))
    return found, (tmp_path / "whole.safetensors").read_bytes()


def test_the_same_seed_gives_the_same_losses_and_weights(whole, label_maps, tmp_path):
    found, weights = whole
    assert list(found) == [1, 2, 3, 4, 5, 6]
    assert run(train(label_maps, tmp_path / "again.safetensors")) == found
    assert (tmp_path / "again.safetensors").read_bytes() == weights
    assert run(train(label_maps, tmp_path / "other.safetensors", seed=1)) != found


def test_a_killed_run_resumes_with_the_same_losses_and_weights(whole, label_maps, tmp_path):
    found, weights = whole
    out = tmp_path / "killed.safetensors"
    child = subprocess.Popen(train(label_maps, out), stdout=subprocess.PIPE, text=True)
    before = {}
    for line in child.stdout:
        before |= losses(line)
        if max(before) >= 3:  # the state is kept every second step
            child.send_signal(signal.SIGKILL)
            break
    child.wait()
    after = run(train(label_maps, out))
    assert 1 < min(after) <= 5
    assert {**before, **after} == found
    assert out.read_bytes() == weights
    assert not out.with_name(out.name + ".state").exists()


def test_a_term_keeps_the_state_and_the_same_command_goes_on(whole, label_maps, tmp_path):
    found, weights = whole
    out = tmp_path / "stopped.safetensors"
    child = subprocess.Popen(train(label_maps, out), stdout=subprocess.PIPE, text=True)
    before = losses(child.stdout.readline())
    child.send_signal(signal.SIGTERM)
    rest, _ = child.communicate(timeout=60)
    before |= {line["step"]: line["loss"] for line in map(json.loads, rest.splitlines()) if "loss" in line}
    if child.returncode == 0:
        pytest.fail("the run ended before it was told to stop")
    after = run(train(label_maps, out))
    assert {**before, **after} == found
    assert out.read_bytes() == weights


def test_a_state_of_other_settings_is_not_taken(label_maps, tmp_path):
    out = tmp_path / "x.safetensors"
    child = subprocess.Popen(train(label_maps, out), stdout=subprocess.PIPE, text=True)
    child.stdout.readline()
    os.kill(child.pid, signal.SIGTERM)
    child.communicate(timeout=60)
    done = subprocess.run(train(label_maps, out, seed=9), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "other settings" in done.stderr


def test_the_decoder_learns_on_stored_embeddings_and_the_encoder_stays(label_maps, weights, tmp_path):
    from engine import api
    from engine.api import describe_checkpoint
    from engine.data.records import read_records
    from engine.masks import encode

    folder = tmp_path / "embedded"
    folder.mkdir()
    with open(folder / "manifest.jsonl", "w") as manifest:
        for record in read_records(label_maps):
            pixels = record.pixels()
            (folder / f"{record.name}.f16").write_bytes(api.embed_image(pixels, checkpoint=weights).tobytes())
            entry = {
                "id": record.name,
                "embedding": f"{record.name}.f16",
                "size": list(pixels.shape[:2]),
                "masks": [encode(mask) for mask in record.read_masks()],
            }
            manifest.write(json.dumps(entry) + "\n")
    out = tmp_path / "decoder.safetensors"
    command = [sys.executable, "-m", "engine", "train", "debug_decoder", "--data", str(folder), "--init", str(weights)]
    began = time.monotonic()
    subprocess.run([*command, "--out", str(out)], check=True, capture_output=True)
    assert time.monotonic() - began < 120
    before, after = describe_checkpoint(weights), describe_checkpoint(out)
    assert after.encoder_hash == before.encoder_hash
    assert after.decoder_hash != before.decoder_hash
