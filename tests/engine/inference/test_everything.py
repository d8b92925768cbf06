"""Everything-mode: the fast one against the plain one, and its parts against what they stand for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest
import skimage.data
import torch

from engine.api import DEFAULT_CHECKPOINT, everything_candidates
from engine.errors import PromptInvalid
from engine.inference import everything
from engine.inference.crops import crop_boxes, grid_points
from engine.inference.everything import _Candidate, _finish, clean_region, label_everything
from engine.inference.frame import resize_logits
from engine.inference.measure import PixelCounter
from engine.inference.predictor import EmbeddedPhoto, Predictor
from engine.inference.settings import MODES, PRESET_OF, PRESETS, EverythingSettings, usual_settings
from engine.masks import area, bbox, decode, encode, iou
from engine.masks.rle import encode_region
from engine.model.build import ARCHITECTURES, Sam
from engine.model.checkpoint import load_checkpoint
from engine.model.known import KNOWN
from engine.model.shared_decoder import SharedDecoder
from tests.bench.wholes import are_found, are_parts
from tests.conftest import scene
from tests.engine.inference import plain_everything as plain
from tests.engine.inference.comparing import as_ours, compare
from tests.engine.scripted import ScriptedClicks

RGB = np.ascontiguousarray(skimage.data.astronaut()[:150, 60:260])
#: Lenient, so that many masks are compared.
LENIENT = EverythingSettings(
    min_predicted_iou=0.2, min_stability=0.5, stability_offset=0.2, points_per_side=6, min_region_px=40
)


@pytest.fixture(scope="module")
def trained():
    return Predictor(load_checkpoint(DEFAULT_CHECKPOINT))


@contextmanager
def asked_of(predictor: Predictor) -> Iterator[list[int]]:
    """How many points go through the decoder, call by call."""
    asked, inner = [], predictor.shared.decode
    predictor.shared.decode = lambda side, tokens: asked.append(len(tokens)) or inner(side, tokens)
    try:
        yield asked
    finally:
        del predictor.shared.decode


@pytest.mark.parametrize(
    "settings",
    [
        LENIENT,
        replace(LENIENT, crop_layers=1, points_per_side=4),
        replace(LENIENT, crop_layers=2, points_per_side=4, keep_largest=True, max_area_share=1.0, min_region_px=900),
        replace(LENIENT, points_per_side=4, nms_after_cleaning=False),
        replace(
            LENIENT, crop_layers=1, points_per_side=4, min_predicted_iou=0.0, min_stability=0.0, untouched_first=False
        ),
    ],
    ids=["whole photo", "one layer of crops", "two layers of crops", "no suppression at the end", "candidates"],
)
def test_exact_finds_the_same_masks_as_a_plain_implementation(trained, settings):
    found = label_everything(trained, trained.embed(RGB), settings, rgb_HW3=RGB)
    wanted = plain.plain_everything(trained.model, RGB, settings)
    assert len(found) == len(wanted) > 5
    equal, worst = compare(wanted, [m.rle for m in found])
    assert worst > 0.99
    assert equal >= 0.99 * len(wanted)
    expected = [as_ours(mask) for mask in wanted]
    for one in found:
        twin = wanted[int(iou([one.rle], expected).argmax())]
        assert one.predicted_iou == pytest.approx(min(1, twin.predicted_iou), abs=1e-4)
        assert one.stability_score == pytest.approx(twin.stability, abs=5e-3)  # a pixel or two on the edge
        assert one.crop_box == twin.crop
        assert one.box == bbox(one.rle)
        assert one.area == area(one.rle)


@pytest.mark.parametrize("settings", [LENIENT, replace(LENIENT, min_region_px=0), replace(LENIENT, min_region_px=900)])
def test_masks_that_are_counted_together_have_the_stability_that_each_has_alone(trained, monkeypatch, settings):
    photo = trained.embed(RGB)
    together = label_everything(trained, photo, settings)
    monkeypatch.setattr(everything, "COUNTED_TOGETHER", 1)
    assert together == label_everything(trained, photo, settings)
    assert len(together) > 5


def test_adaptive_asks_fewer_points_and_finds_masks_of_exact(trained):
    photo = trained.embed(RGB)
    # Hard to please: most points of this photo give nothing.
    settings = replace(LENIENT, points_per_side=12, min_predicted_iou=0.65)
    with asked_of(trained) as asked:
        exact = label_everything(trained, photo, settings)
        of_exact = sum(asked)
        asked.clear()
        adaptive = label_everything(trained, photo, replace(settings, mode="adaptive"))
    assert of_exact == 144
    assert 36 <= sum(asked) < 144
    assert iou([m.rle for m in adaptive], [m.rle for m in exact]).max(axis=1).min() > 0.9
    found = iou([m.rle for m in exact], [m.rle for m in adaptive]).max(axis=1) > 0.9
    assert found.mean() >= 0.9


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_adaptive_finds_95_percent_of_the_wholes_and_of_the_parts_that_exact_does(trained):
    """Not in every photo: of the 17 wholes in `hubble_deep_field`, small ones far apart, it finds 8."""
    are_parts_N, are_found_N = [], []
    for name in ("coffee", "chelsea", "astronaut", "rocket", "retina"):
        rgb = np.ascontiguousarray(getattr(skimage.data, name)())
        photo = trained.embed(rgb)
        exact, adaptive = (
            [found.rle for found in label_everything(trained, photo, EverythingSettings(mode=mode))] for mode in MODES
        )
        are_parts_N.append(are_parts(exact))
        are_found_N.append(are_found(exact, adaptive))
    is_part_N, is_found_N = np.concatenate(are_parts_N), np.concatenate(are_found_N)
    assert min(is_part_N.sum(), (~is_part_N).sum()) >= 10  # or a share would say little
    assert is_found_N[~is_part_N].mean() >= 0.95
    assert is_found_N[is_part_N].mean() >= 0.95


@pytest.mark.parametrize(("spacing", "per_side"), [(16, 4), (3, 1), (6, 2), (16, 1), (4, 4), (5, 7)])
def test_adaptive_asks_some_point_however_few_there_are_and_all_where_all_promise_something(trained, spacing, per_side):
    settings = replace(LENIENT, mode="adaptive", spacing=spacing, points_per_side=per_side, min_predicted_iou=0.0)
    photo = trained.embed(RGB)
    with asked_of(trained) as asked:
        found = label_everything(trained, photo, replace(settings, nearly=1.0))
        assert sum(asked) == per_side**2
        assert found
        asked.clear()
        # Nothing promises anything.
        label_everything(trained, photo, replace(settings, min_predicted_iou=1.0, nearly=0.0))
        assert 1 <= sum(asked) <= (-(-per_side // spacing)) ** 2


@pytest.mark.parametrize(("wanted", "calls"), [(None, [4, 4, 1]), (7, [7, 2]), (64, [9])])
def test_a_cpu_asks_four_points_at_once_unless_told_otherwise_and_a_graphics_card_64(trained, wanted, calls):
    settings = replace(LENIENT, points_per_side=3, points_per_batch=wanted)
    with asked_of(trained) as asked:
        label_everything(trained, trained.embed(RGB), settings)
    assert asked == calls
    assert [settings.batch_on(device) for device in ("cpu", "cuda")] == ([4, 64] if wanted is None else [wanted] * 2)


def with_a_hole(confidence: float, hole: bool) -> _Candidate:
    """A square, as the logits of a photo of 16 x 16 pixels."""
    logits = np.full((16, 16), -1, np.float32)
    logits[2:12, 2:12] = 1
    logits[6, 6] = -1 if hole else 1
    return _Candidate(logits, (0, 0), (2, 2, 12, 12), confidence, (0, 0, 16, 16), (7.0, 7.0), True)


def test_among_candidates_none_that_is_less_confident_takes_the_place_of_one_that_cleaning_changed():
    both = [with_a_hole(0.9, hole=True), with_a_hole(0.3, hole=False)]
    released = EverythingSettings(min_region_px=4, stability_offset=0.5)
    candidates = EverythingSettings(**everything_candidates({"min_region_px": 4}))

    def left(found: list[_Candidate], settings: EverythingSettings) -> list[float]:
        return [one.predicted_iou for one in _finish(found, (16, 16), settings, 16, 16)]

    assert (left(both, released), left(both[:1], released)) == ([0.3], [0.9])  # SAM-r
    assert (left(both, candidates), left(both[:1], candidates)) == ([0.9], [0.9])


def test_which_points_of_candidates_are_asked_does_not_depend_on_what_is_chosen_among_them(trained):
    photo = trained.embed(RGB)
    chosen = {**asdict(LENIENT), "mode": "adaptive", "min_predicted_iou": 0.65, "points_per_side": 8}
    candidates = EverythingSettings(**everything_candidates(chosen))
    with asked_of(trained) as asked:
        loosest = label_everything(trained, photo, candidates)
        of_loosest = list(asked)
        asked.clear()
        found = label_everything(trained, photo, replace(candidates, min_predicted_iou=0.6))
    assert sum(of_loosest) < 64
    assert asked == of_loosest
    assert [one.rle for one in found] == [one.rle for one in loosest if one.predicted_iou > 0.6] != []


def test_settings_that_find_the_same_candidates_are_equal():
    def of(**settings):
        return everything_candidates(settings)

    assert of() == of(min_predicted_iou=0.6, min_stability=0.9) != of(points_per_side=8)
    assert of(mode="adaptive") != of(mode="adaptive", min_predicted_iou=0.6)  # other points are asked


@pytest.mark.parametrize("depth", [2, 3])
def test_the_shared_decoder_answers_as_the_mask_decoder_does(trained, depth):
    """(SA-1B was labelled by a decoder of three layers.)"""
    model = trained.model
    if depth == 3:
        torch.manual_seed(5)
        small = ARCHITECTURES["maskloop_debug"]
        model = Sam(replace(small, decoder=replace(small.decoder, depth=3))).eval()
    config = model.architecture.prompt
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(1, config.channels, config.grid, config.grid, generator=generator)
    for labels in ([1.0, -1.0], [2.0, 3.0], [1.0, 0.0, 1.0, 2.0, 3.0]):
        points = torch.rand(3, len(labels), 2, generator=generator) * config.image_side
        labels_BN = torch.tensor([labels] * 3)
        with torch.inference_mode():
            logits, ious = model.decode(embedding, points, labels_BN)
            shared = SharedDecoder(model)
            answers = shared.decode(shared.prepare(embedding), model.prompt_encoder.tokens(points, labels_BN))
            rows = torch.tensor([0, 2])
            drawn = shared.logits(answers, rows, slice(1, 4))
        torch.testing.assert_close(answers.iou_B4, ious, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(drawn, logits[rows, 1:], atol=1e-3, rtol=1e-4)


def test_everything_finds_each_object_once():
    rgb, masks = scene(48, 64, seed=0)
    photo = EmbeddedPhoto(np.zeros((1, 1, 1), np.float32), (48, 64))

    def same_colour(x, y):
        colour = rgb.astype(int)[int(y), int(x)]
        return [(np.abs(rgb.astype(int) - colour).sum(2) < 40, 1.0)]

    settings = EverythingSettings(points_per_side=32, min_region_px=0)
    found = label_everything(ScriptedClicks(64, same_colour), photo, settings)
    for wanted in masks:
        matches = [
            one for one in found if (decode(one.rle) == wanted).mean() > 0.99 and decode(one.rle)[wanted].mean() > 0.9
        ]
        assert len(matches) == 1
    for one in found:
        assert one.box == bbox(one.rle)
        assert one.area == decode(one.rle).sum() > 0


def test_crops_have_the_published_sizes_and_cover_the_photo():
    size = (1500, 2250)
    assert {(x1 - x0, y1 - y0) for x0, y0, x1, y1 in crop_boxes(size, 1, 512 / 1500)} == {(1381, 1006)}
    fine = crop_boxes(size, 2, 512 / 1500)
    assert len(fine) == 16
    assert {(x1 - x0, y1 - y0) for x0, y0, x1, y1 in fine if x1 < 2250 and y1 < 1500} == {(755, 567)}
    covered = np.zeros(size, bool)
    for x0, y0, x1, y1 in fine:
        covered[y0:y1, x0:x1] = True
    assert covered.all()


@pytest.mark.parametrize("size", [(1, 20), (5, 5), (3, 100), (1, 1)])
def test_a_photo_of_a_few_pixels_has_crops_too(trained, size):
    for layer in (1, 2):
        assert all(x0 < x1 and y0 < y1 for x0, y0, x1, y1 in crop_boxes(size, layer, 512 / 1500))
    rgb = np.full((*size, 3), 90, np.uint8)
    settings = EverythingSettings(
        crop_layers=1, points_per_side=2, min_predicted_iou=0.0, min_stability=0.0, min_region_px=0, max_area_share=1.0
    )
    found = label_everything(trained, trained.embed(rgb), settings, rgb_HW3=rgb)
    assert found or size == (1, 1)  # whether a single pixel is an object these weights do not say
    for one in found:
        assert one.rle["size"] == list(size)


def test_grid_points_are_the_centres_of_cells():
    assert grid_points(2, (10, 20, 50, 40)).tolist() == [[20, 25], [40, 25], [20, 35], [40, 35]]


@pytest.mark.parametrize(
    ("size", "side"), [((90, 140), 32), ((333, 77), 32), ((20, 30), 32), ((1, 50), 16), ((70, 1), 16)]
)
def test_measures_are_those_of_the_drawn_mask(size, side):
    rng = np.random.default_rng(side + size[0])
    logits = np.stack(
        [cv2.GaussianBlur(rng.normal(size=(side, side)).astype(np.float32), (0, 0), 2) * 9 - i for i in range(4)]
    )
    logits[3] = -5
    levels = (1.0, 0.0, -1.0)
    photo = PixelCounter(size, 4 * side, side)
    counted, boxes = photo.counts(torch.from_numpy(logits), levels), photo.boxes(torch.from_numpy(logits))
    least, most = photo.bounds(torch.from_numpy(logits), levels)
    for index, own in enumerate(logits):
        drawn = resize_logits(own, size, 4 * side)
        counts = [int((drawn > level).sum()) for level in levels]
        assert counted[index].tolist() == counts
        assert (least[index].numpy() <= counts).all()
        assert (most[index].numpy() >= counts).all()
        assert tuple(boxes[index].tolist()) == bbox(encode(drawn > 0))


@pytest.mark.parametrize("seed", range(12))
def test_cleaning_a_region_is_cleaning_the_whole_mask(seed):
    rng = np.random.default_rng(seed)
    size = (int(rng.integers(12, 40)), int(rng.integers(12, 40)))
    mask = cv2.GaussianBlur(rng.normal(size=size).astype(np.float32), (0, 0), 1.2) > rng.uniform(-0.2, 0.2)
    if seed % 3 == 0:
        mask[: size[0] // 3] = False  # something of the photo is outside of the box
    x0, y0, x1, y1 = bbox(encode(mask))
    for smallest in (1, 5, 30, 2000):
        for keep_largest in (False, True):
            tidy, at = clean_region(mask[y0:y1, x0:x1], (x0, y0, x1, y1), size, smallest, keep_largest=keep_largest)
            whole = np.zeros(size, bool)
            whole[at[1] : at[1] + tidy.shape[0], at[0] : at[0] + tidy.shape[1]] = tidy
            wanted = plain.clean(mask, smallest, keep_largest)
            assert whole.sum() == wanted.sum()
            if not keep_largest:  # of two largest pieces either may stay
                np.testing.assert_array_equal(whole, wanted)


@pytest.mark.parametrize("seed", range(6))
def test_a_region_has_the_run_lengths_of_its_whole_mask(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 12, 2)
    mask = rng.random((height, width)) < 0.6
    for y0, x0 in ((0, 0), (height // 3, width // 3)):
        own = np.zeros_like(mask)
        own[y0:, x0:] = mask[y0:, x0:]
        assert encode_region(mask[y0:, x0:], (int(x0), int(y0)), (int(height), int(width))) == encode(own)


def test_presets_are_the_published_numbers():
    paper, released = PRESETS["paper"], PRESETS["released"]
    assert (paper.points_per_side, paper.crop_layers, paper.crop_points_divisor) == (32, 2, 2)
    assert (paper.min_predicted_iou, paper.min_stability, paper.stability_offset) == (0.88, 0.95, 1.0)
    assert (paper.max_area_share, paper.nms_iou, paper.crop_nms_iou, paper.min_region_px) == (0.95, 0.7, 0.7, 100)
    assert not paper.keep_largest
    assert (released.crop_layers, released.crop_points_divisor, released.min_region_px) == (0, 1, 0)
    assert (released.min_predicted_iou, released.min_stability, released.nms_iou) == (0.88, 0.95, 0.7)
    assert released.stability_offset == 1.0
    assert released.max_area_share == 1
    assert released.keep_largest
    assert (paper.nms_after_cleaning, released.nms_after_cleaning) == (False, True)
    for preset in PRESETS.values():
        preset.check()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_published_models_are_asked_by_the_released_limits_and_all_others_by_ours(name, monkeypatch):
    assert set(KNOWN) == set(PRESET_OF) < set(ARCHITECTURES)
    usual = usual_settings(name)
    assert usual == PRESETS["released" if name in KNOWN else "maskloop"]
    assert (usual.min_predicted_iou, usual.min_stability) == ((0.88, 0.95) if name in KNOWN else (0.5, 0.4))
    named = Predictor(Sam(replace(ARCHITECTURES["maskloop_debug"], name=name)))
    checked = []
    monkeypatch.setattr(EverythingSettings, "check", lambda self: checked.append(self))
    label_everything(named, named.embed(RGB))
    assert checked == [usual]


def test_crops_need_the_photo_itself(trained):
    with pytest.raises(PromptInvalid, match="the photo itself"):
        label_everything(trained, trained.embed(RGB), EverythingSettings(crop_layers=1))
