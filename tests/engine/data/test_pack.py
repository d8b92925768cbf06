"""Packs of photos, and files in parts."""

import hashlib
import json
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest

from engine.cli import main
from engine.data.pack import QUALITIES, unpack, write_pack
from engine.data.parts import cut, join
from engine.data.records import read_records
from engine.errors import DataInvalid


@pytest.fixture
def records(label_maps):
    """Four photos, the first with names, a band that counts neither way, and every object outlined."""
    first, *others = read_records(label_maps)
    masks = first.read_masks()
    band = np.zeros(masks[0].shape, bool)
    band[:5] = True
    names = tuple(f"thing {index}" for index in range(len(masks)))
    return [replace(first, names=names, complete=True, read_ignored=lambda: band), *others]


def packed(records, folder, **settings):
    out = folder / "photos.pack"
    return out, write_pack({"train": records[:3], "held_out": records[3:]}, out, **{"side": 64, **settings})


def test_what_comes_out_of_a_pack_is_what_went_in_as_large_as_training_keeps_it(records, tmp_path):
    file, index = packed(records, tmp_path, side=32)
    assert index["longest_side"] == 40
    assert unpack(file, tmp_path / "x") == index
    train, held_out = (read_records(tmp_path / "x" / split) for split in ("train", "held_out"))
    assert [r.name for r in train + held_out] == [r.name for r in records]
    assert [about["photos"] for about in index["splits"].values()] == [3, 1]
    for ours, original in zip(train + held_out, records, strict=True):
        assert ours.pixels().shape == (30, 40, 3)
        shrunk = cv2.resize(original.pixels(), (40, 30), interpolation=cv2.INTER_AREA)
        assert np.abs(ours.pixels().astype(int) - shrunk).mean() < 4
        for mask, whole in zip(ours.read_masks(), original.read_masks(), strict=True):
            nearest = cv2.resize(whole.astype(np.uint8), (40, 30), interpolation=cv2.INTER_NEAREST_EXACT)
            np.testing.assert_array_equal(mask, nearest > 0)
    assert (train[0].names, train[0].complete) == (records[0].names, True)
    assert train[0].read_ignored()[:3].all()
    assert not train[0].read_ignored()[4:].any()
    assert (train[1].names, train[1].complete, train[1].read_ignored) == (None, None, None)


def test_the_quality_is_the_best_that_fits_and_what_cannot_fit_is_refused(records, tmp_path):
    file, index = packed(records, tmp_path)
    assert index["quality"] == QUALITIES[0]
    best = file.stat().st_size
    _, smaller = packed(records, tmp_path, most_bytes=best - 1000)
    assert smaller["quality"] < QUALITIES[0]
    assert file.stat().st_size < best - 1000
    with pytest.raises(
        DataInvalid, match=r"even at JPEG quality 50 this takes 0\.0 MB, more than 0\.0: take a smaller"
    ):
        packed(records, tmp_path, most_bytes=2000)


def test_the_same_photos_are_the_same_pack_byte_for_byte(records, tmp_path):
    first = packed(records, tmp_path / "a")[0].read_bytes()
    assert packed(records, tmp_path / "b")[0].read_bytes() == first


def test_a_photo_cannot_be_learnt_from_and_measured_on(records, tmp_path):
    with pytest.raises(DataInvalid, match=r"the photo 3 comes twice: it could be learnt from and measured on"):
        write_pack({"train": records, "held_out": records[3:]}, tmp_path / "x", side=64)
    with pytest.raises(DataInvalid, match="there is no photo in held_out"):
        write_pack({"train": records, "held_out": []}, tmp_path / "x", side=64)


def changed(file, out, member, content):
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == member else old.read(name))
    return out


def test_a_pack_that_was_changed_cut_short_or_points_outside_is_refused(records, tmp_path):
    file, index = packed(records, tmp_path)
    short = tmp_path / "short"
    short.write_bytes(file.read_bytes()[:-400])
    for damaged in (
        changed(file, tmp_path / "1", "train/photos/00000.jpg", b"another photo"),
        changed(file, tmp_path / "2", "train/manifest.jsonl", b"{}\n"),
        short,
        tmp_path / "nowhere",
    ):
        with pytest.raises(DataInvalid, match="is not a whole pack of photos"):
            unpack(damaged, tmp_path / "x")
        assert not (tmp_path / "x" / "index.json").exists()
    line = json.dumps({"image": "../../../evil.jpg", "sha256": "0" * 64}).encode()
    index["splits"] = {"train": {"sha256": hashlib.sha256(line).hexdigest()}}
    evil = changed(file, tmp_path / "3", "train/manifest.jsonl", line)
    evil = changed(evil, tmp_path / "4", "index.json", json.dumps(index).encode())
    with pytest.raises(DataInvalid, match=r"it names 'train/../../../evil.jpg'"):
        unpack(evil, tmp_path / "x")


def test_the_command_packs_by_names_or_by_share_and_says_what_is_in_it(label_maps, tmp_path, capsys):
    names = tmp_path / "names"
    names.write_text("1\n")
    file = tmp_path / "photos.pack"
    pack = ["pack", "--data", str(label_maps), "--side", "64", "--out", str(file)]
    assert main([*pack, "--held-out", str(names), "--exclude", str(names)]) == 2
    assert "no photo in held_out" in capsys.readouterr().err
    assert main([*pack, "--held-out", str(names)]) == 0
    assert "train: 3 photos" in capsys.readouterr().out
    assert main(["unpack", str(file), "--out", str(tmp_path / "x")]) == 0
    assert [r.name for r in read_records(tmp_path / "x" / "held_out")] == ["1"]
    with pytest.raises(SystemExit, match="2"):
        main([*pack, "--hold-out", "1.5"])
    assert "1.5 is not a share between 0 and 1" in capsys.readouterr().err


def test_a_file_in_parts_is_joined_to_the_same_file_and_damage_is_noticed(tmp_path, capsys):
    whole = tmp_path / "weights.safetensors"
    whole.write_bytes(np.random.default_rng(0).bytes(2500))
    manifest = cut(whole, tmp_path / "parts", part_bytes=1000)
    assert [part.stat().st_size for part in sorted((tmp_path / "parts").glob("*.0*"))] == [1000, 1000, 500]
    assert main(["join", str(tmp_path / "parts"), "--out", str(tmp_path / "back")]) == 0
    assert (tmp_path / "back" / whole.name).read_bytes() == whole.read_bytes()
    (tmp_path / "parts" / f"{whole.name}.001").write_bytes(b"x" * 1000)
    with pytest.raises(DataInvalid, match="has been changed since it was cut"):
        join(manifest, tmp_path / "y")
    (tmp_path / "parts" / f"{whole.name}.001").unlink()
    with pytest.raises(DataInvalid, match=r"the part weights\.safetensors\.001 is missing"):
        join(manifest, tmp_path / "y")
    assert not (tmp_path / "y" / whole.name).exists()
    manifest.write_text(json.dumps({"name": "../evil", "sha256": "", "parts": []}))
    with pytest.raises(DataInvalid, match="no plain file name"):
        join(manifest, tmp_path / "y")
    assert main(["join", str(tmp_path), "--out", str(tmp_path / "z")]) == 2
