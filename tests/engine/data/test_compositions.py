"""Compositions: what is cut out is whole, lies where its mask says, and hides what is behind it."""

import cv2
import numpy as np
import pytest

from engine.cli import main
from engine.data.compositions import LEAST_CUT_PX, Piece, compose, cut_out, write_compositions
from engine.data.records import Record, held_out, read_records
from engine.data.scenes import LEAST_VISIBLE_PX
from engine.errors import DataInvalid

RED, YELLOW, BLUE = (220, 30, 30), (220, 220, 30), (30, 30, 220)


def _photo(colour=RED, *, size=(120, 160), box=(30, 40, 90, 110), ground=120):
    """One coloured rectangle, box = (y0, x0, y1, x1)."""
    rgb = np.full((*size, 3), ground, np.uint8)
    mask = np.zeros(size, bool)
    mask[box[0] : box[2], box[1] : box[3]] = True
    rgb[mask] = colour
    return rgb, mask


def test_an_object_is_cut_out_with_its_own_pixels():
    piece = cut_out(*_photo())
    assert piece is not None
    assert piece.inside_HW.shape == (60, 70)
    assert piece.inside_HW.all()
    assert (piece.rgb_HW3 == RED).all()


@pytest.mark.parametrize("box", [(0, 40, 60, 110), (60, 40, 120, 110), (30, 0, 90, 70), (30, 90, 90, 160)])
def test_what_the_photos_edge_cuts_off_is_not_taken(box):
    assert cut_out(*_photo(box=box)) is None


def test_what_is_too_small_or_in_pieces_is_not_taken():
    side = int(LEAST_CUT_PX**0.5)
    assert cut_out(*_photo(box=(30, 40, 30 + side, 40 + side))) is not None
    assert cut_out(*_photo(box=(30, 40, 29 + side, 40 + side))) is None
    rgb, mask = _photo()
    mask[55:65] = False
    assert cut_out(rgb, mask) is None


def test_the_mask_lies_where_the_object_was_put():
    """Turned about and recoloured as it is, red stays red, and grey is grey."""
    shown = []
    for number in range(40):
        scene = compose(np.random.default_rng(number), np.full((120, 160, 3), 120, np.uint8), [], [_cut(RED)])
        if not scene.owner_HW.any():
            continue  # put so far beyond the edge that too little is to be seen
        spread_HW = np.ptp(scene.rgb_HW3.astype(int), axis=2)
        is_coloured, inside = spread_HW > 60, scene.owner_HW == 1
        shown.append((is_coloured & inside).sum() / (is_coloured | inside).sum())
    assert len(shown) > 25
    assert np.median(shown) > 0.95


def _cut(colour) -> Piece:
    piece = cut_out(*_photo(colour))
    assert piece is not None
    return piece


def test_what_is_put_in_front_hides_what_was_there_and_numbers_have_no_gaps():
    rgb, mask = _photo(BLUE, box=(20, 20, 100, 140))
    hidden = kept = 0
    for number in range(60):
        scene = compose(np.random.default_rng(number), rgb, [mask], [_cut(YELLOW)] * 3)
        sizes = np.bincount(scene.owner_HW.ravel())[1:]
        assert (sizes >= LEAST_VISIBLE_PX).all()
        red_HW, green_HW, blue_HW = np.moveaxis(scene.rgb_HW3, 2, 0)
        blue = (blue_HW > 150) & (red_HW < 90) & (green_HW < 90)  # yellow, however recoloured, is not
        if (scene.owner_HW[20:100, 20:140] == 0).any():
            hidden += 1  # it was the blue one that went: nobody's now
        else:
            kept += 1
            counts = np.bincount(scene.owner_HW[blue & mask])
            assert counts.max() > 0.99 * counts.sum()  # the others are mixtures, on a border
    assert kept > hidden


def test_of_masks_that_overlap_the_one_that_another_hides_is_nobodys():
    """A ring around a wheel would be no car."""
    rgb, car = _photo(BLUE, box=(10, 10, 110, 150))
    wheel = np.zeros_like(car)
    wheel[30:70, 40:100] = True
    for masks in ([car, wheel], [wheel, car]):
        for number in range(5):
            scene = compose(np.random.default_rng(number), rgb, masks, [])
            np.testing.assert_array_equal(scene.owner_HW, wheel.astype(np.uint16))
    apart = np.zeros_like(car)
    apart[115:, :40] = True
    assert compose(np.random.default_rng(0), rgb, [apart, car], []).owner_HW.max() == 2


def test_what_becomes_too_thin_for_its_mask_is_not_put():
    rgb = np.zeros((400, 400, 3), np.uint8)
    comb = np.zeros((400, 400), bool)
    comb[5:395, 5:395:8] = comb[5:395, 6:395:8] = comb[200:204, 5:395] = True  # of one piece, and all threads
    piece = cut_out(rgb, comb)
    assert piece is not None
    small = np.full((60, 60, 3), 200, np.uint8)
    for number in range(20):
        scene = compose(np.random.default_rng(number), small, [], [piece])
        assert not scene.owner_HW.any()
        assert scene.rgb_HW3.min() > 150


@pytest.fixture
def folder(tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    for number, colour in enumerate((RED, BLUE, (30, 200, 30))):
        rgb, mask = _photo(colour)
        cv2.imwrite(str(tmp_path / "data" / "images" / f"{number}.png"), rgb[..., ::-1])
        cv2.imwrite(str(tmp_path / "data" / "masks" / f"{number}.png"), mask.astype(np.uint8))
    return tmp_path / "data"


def test_the_command_writes_a_folder_to_train_on_the_same_for_the_same_seed(folder, tmp_path):
    for name in ("first", "second"):
        arguments = [
            "compositions",
            "--data",
            str(folder),
            "--out",
            str(tmp_path / name),
            "--count",
            "3",
            "--seed",
            "5",
        ]
        assert main(arguments) == 0
    records = read_records(tmp_path / "first")
    assert [record.name for record in records] == [f"composition-{number:05}" for number in range(3)]
    assert all(record.read_masks() for record in records)
    for file in sorted((tmp_path / "first").rglob("composition-*")):
        assert file.read_bytes() == (tmp_path / "second" / file.relative_to(tmp_path / "first")).read_bytes()


def test_photos_left_out_give_neither_ground_nor_objects(folder, tmp_path, capsys):
    black = np.zeros((120, 160), np.uint8)
    cv2.imwrite(str(folder / "images" / "0.png"), np.zeros((120, 160, 3), np.uint8))
    for number in (1, 2):  # nothing to cut out but in photo 0, and no other photo is black
        cv2.imwrite(str(folder / "masks" / f"{number}.png"), black)
    command = ["compositions", "--data", str(folder), "--count", "24"]
    assert main([*command, "--out", str(tmp_path / "all")]) == 0
    darkest = [np.median(record.pixels()) for record in read_records(tmp_path / "all")]
    assert min(darkest) < 30 < 60 < max(darkest)
    (tmp_path / "left-out.json").write_text('["0"]')
    assert main([*command, "--exclude", str(tmp_path / "left-out.json"), "--out", str(tmp_path / "some")]) == 2
    assert "none can be cut out" in capsys.readouterr().err
    (folder / "masks" / "1.png").write_bytes((folder / "masks" / "0.png").read_bytes())
    assert main([*command, "--exclude", str(tmp_path / "left-out.json"), "--out", str(tmp_path / "two")]) == 0
    assert min(np.median(record.pixels()) for record in read_records(tmp_path / "two")) > 60


def test_photos_that_training_holds_out_give_neither_ground_nor_objects(folder, tmp_path):
    _, shown = held_out(read_records(folder), 0.4)
    assert [record.name for record in shown] == ["0"]
    cv2.imwrite(str(folder / "images" / "0.png"), np.zeros((120, 160, 3), np.uint8))
    command = [
        "compositions",
        "--data",
        str(folder),
        "--count",
        "24",
        "--hold-out",
        "0.4",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(command) == 0
    assert min(np.median(record.pixels()) for record in read_records(tmp_path / "out")) > 60, "no other photo is black"


def test_photos_without_an_object_to_cut_out_are_told_of(folder, tmp_path, capsys):
    for number in range(3):
        cv2.imwrite(str(folder / "masks" / f"{number}.png"), np.eye(120, 160, dtype=np.uint8))
    assert main(["compositions", "--data", str(folder), "--out", str(tmp_path / "out")]) == 2
    assert "none can be cut out" in capsys.readouterr().err
    # And nothing is left behind that would be in the way of the next try.
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_many_photos_without_a_mask_are_passed_over(folder, tmp_path):
    for number in range(3, 60):
        cv2.imwrite(str(folder / "images" / f"{number}.png"), np.full((120, 160, 3), 90, np.uint8))
        cv2.imwrite(str(folder / "masks" / f"{number}.png"), np.zeros((120, 160), np.uint8))
    for number in (1, 2):
        cv2.imwrite(str(folder / "masks" / f"{number}.png"), np.zeros((120, 160), np.uint8))
    assert main(["compositions", "--data", str(folder), "--out", str(tmp_path / "out"), "--count", "30"]) == 0
    records = read_records(tmp_path / "out")
    assert len(records) == 30
    assert all(record.read_masks() for record in records)


def test_masks_of_another_size_than_their_photo_are_refused_by_name(folder, tmp_path, capsys):
    for number in range(3):
        cv2.imwrite(str(folder / "masks" / f"{number}.png"), np.ones((160, 120), np.uint8))
    assert main(["compositions", "--data", str(folder), "--out", str(tmp_path / "out")]) == 2
    assert "a mask is 160 x 120 px, its photo 120 x 160 px" in capsys.readouterr().err


def test_embeddings_without_their_photo_are_passed_over_or_told_of(folder, tmp_path):
    stored = Record("stored", None, lambda: [_photo()[1]])
    write_compositions(tmp_path / "out", [*read_records(folder), stored, stored, stored], count=5)
    with pytest.raises(DataInvalid, match="only embeddings"):
        write_compositions(tmp_path / "none", [stored], count=1)


def test_a_count_of_nothing_is_refused(folder, tmp_path, capsys):
    assert main(["compositions", "--data", str(folder), "--out", str(tmp_path / "out"), "--count", "0"]) == 2
    assert "--count is" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
