"""The engine's rows. The plain alternatives are those of the tests, or the published structure run as it stands."""

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import skimage.data
import torch
from numpy.typing import NDArray
from torch.nn import functional

from engine.api import DEFAULT_CHECKPOINT
from engine.data.records import Record, read_rgb
from engine.data.samples import Augmentation
from engine.inference.everything import label_everything
from engine.inference.measure import PixelCounter
from engine.inference.onnx_export import TEXT_INPUT, PublishedGraph, export_decoder_onnx
from engine.inference.predictor import EmbeddedPhoto, Predictor, Prompt
from engine.inference.settings import EverythingSettings
from engine.masks import Rle, encode
from engine.masks.boxes import non_maximum_suppression
from engine.masks.rle import encode_region
from engine.model.build import Sam, build_model
from engine.model.checkpoint import load_checkpoint
from tests.bench.table import Table, timed
from tests.bench.wholes import are_found, are_parts
from tests.conftest import SHARED_DATA
from tests.engine.inference.comparing import compare
from tests.engine.inference.plain_everything import PlainMask, drawn, plain_everything, suppress

#: 1.5 megapixels, of a photo that anyone can have.
RGB = np.ascontiguousarray(cv2.resize(skimage.data.astronaut(), (1224, 1224), interpolation=cv2.INTER_CUBIC))
#: Of the points that adaptive asks first; the default is 2.
SPACINGS = (2, 3, 4, 6)
#: Of exact's wholes, and of its parts, that adaptive is to find.
ENOUGH = 0.95
#: Some minutes' worth.
MOST_PICTURES = 24


def export_published(model: Sam, out: Path) -> None:
    export_decoder_onnx(model, out, PublishedGraph(model.eval()))


def lone_click(model: Sam) -> dict[str, np.ndarray]:
    """A graph's inputs."""
    config = model.architecture.prompt
    side, rng = 4 * config.grid, np.random.default_rng(0)
    no_text = {} if model.architecture.text is None else {TEXT_INPUT: np.zeros((1, 0, config.channels), np.float32)}
    return no_text | {
        "image_embedding": rng.normal(size=(1, config.channels, config.grid, config.grid)).astype(np.float32),
        "point_coords": np.array([[[config.image_side / 2, config.image_side / 3], [0, 0]]], np.float32),
        "point_labels": np.array([[1, -1]], np.float32),
        "mask_input": np.zeros((1, 1, side, side), np.float32),
        "has_mask_input": np.zeros(1, np.float32),
    }


def engine_rows(table: Table) -> None:
    tiny = load_checkpoint(DEFAULT_CHECKPOINT)
    torch.manual_seed(0)
    base = build_model("sam_vit_b").eval()  # random weights: as fast as the published ones
    predictor = Predictor(tiny)
    large = Predictor(base)
    photo = predictor.embed(RGB)
    table.add(
        "embed a photo of 1.5 megapixels",
        timed(lambda: predictor.embed(RGB), 7),
        "sam_vit_b",
        timed(lambda: large.embed(RGB), 2, 0),
        "0.4 s",
    )
    config = base.architecture.prompt
    of_base = EmbeddedPhoto(
        np.random.default_rng(0).normal(size=(config.channels, config.grid, config.grid)).astype(np.float16),
        RGB.shape[:2],
    )
    click = Prompt(((600.5, 400.5),), (1,))
    table.add(
        "a click, torch, three masks in the photo's pixels",
        timed(lambda: [predictor.predict(photo, click).mask(i) for i in range(3)], 9),
        "sam_vit_b",
        timed(lambda: [large.predict(of_base, click).mask(i) for i in range(3)], 5),
    )
    _onnx_rows(table, tiny, base)
    _everything_rows(table, predictor, photo)
    _vit_b_rows(table, large, of_base, predictor)
    _mask_rows(table)
    _training_row(table)


def _onnx_rows(table: Table, tiny: Sam, base: Sam) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours, published = Path(folder) / "ours.onnx", Path(folder) / "published.onnx"
        for model in (tiny, base):
            export_decoder_onnx(model, ours)
            export_published(model, published)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            sessions = [onnxruntime.InferenceSession(path, options) for path in (ours, published)]
            given = lone_click(model)
            fast, plain = (session.run(None, given) for session in sessions)
            assert all(np.abs(a - b).max() < 1e-3 for a, b in zip(fast, plain, strict=True))
            table.add(
                f"a click, ONNX Runtime, one thread, {model.architecture.name}",
                timed(lambda s=sessions[0], g=given: s.run(None, g), 15),
                "published structure",
                timed(lambda s=sessions[1], g=given: s.run(None, g), 15),
                "1.5x" if model is base else "",
            )


def _everything_rows(table: Table, predictor: Predictor, photo: EmbeddedPhoto) -> None:
    settings = EverythingSettings()
    plain_everything(predictor.model, RGB, replace(settings, points_per_side=4))  # warm
    of_plain: list[PlainMask] = []
    plain = timed(lambda: of_plain.extend(plain_everything(predictor.model, RGB, settings)), 1, 0)
    exact = timed(lambda: label_everything(predictor, photo, settings), 3, 0)
    adaptive = replace(settings, mode="adaptive")
    quick = timed(lambda: label_everything(predictor, photo, adaptive), 3, 0)
    all_of_them = [m.rle for m in label_everything(predictor, photo, settings)]
    some = [m.rle for m in label_everything(predictor, photo, adaptive)]
    equal, worst = compare(of_plain, all_of_them)
    assert len(all_of_them) == len(of_plain)
    assert equal >= 0.99 * len(of_plain)
    assert worst > 0.99
    share = f"{equal} of {len(of_plain)} masks equal"
    table.add(f"everything, exact, 32 x 32 points: {share}", exact, "written plainly", plain, "5x")
    share = f"{int(are_found(all_of_them, some).sum())} of {len(all_of_them)} masks"
    table.add(f"everything, adaptive: {share}", quick, "written plainly", plain, "20x, 95% of the masks")
    adaptive_rows(table, predictor)


def _pictures() -> list[NDArray[np.uint8]]:
    """Some that anyone can have, and the held-out photos of the default model, where they are: `SHARED_DATA`."""
    everybodys = ("astronaut", "coffee", "cat", "rocket", "retina", "immunohistochemistry", "hubble_deep_field")
    pictures = [getattr(skimage.data, name)() for name in everybodys]
    splits = SHARED_DATA / "splits.json"
    if splits.is_file():
        for name in json.loads(splits.read_text())["coco_mix_heldout"][: MOST_PICTURES - len(pictures)]:
            pictures.append(read_rgb(SHARED_DATA / "coco_mix" / "images" / f"{name}.jpg"))
    return pictures


def adaptive_rows(table: Table, predictor: Predictor) -> None:
    """The curve: how many of exact's masks adaptive finds, in what time, the coarser its first points lie.

    Wholes and parts are counted separately: a coarse grid passes over what is small first. The default is to be the fastest
    that finds `ENOUGH` of both.
    """
    photos = [predictor.embed(picture) for picture in _pictures()]

    def all_masks(settings: EverythingSettings) -> tuple[list[list[Rle]], float]:
        began = time.perf_counter()
        found = [[mask.rle for mask in label_everything(predictor, photo, settings)] for photo in photos]
        return found, time.perf_counter() - began

    exact, exact_s = all_masks(EverythingSettings())
    part_N = np.concatenate([are_parts(masks) for masks in exact if masks])
    good: list[tuple[float, int]] = []
    for spacing in SPACINGS:
        some, seconds = all_masks(EverythingSettings(mode="adaptive", spacing=spacing))
        found_N = np.concatenate([are_found(*both) for both in zip(exact, some, strict=True)])
        counts = [(int(found_N[own_N].sum()), int(own_N.sum())) for own_N in (~part_N, part_N)]
        (wholes, of_wholes), (parts, of_parts) = counts
        if all(found >= ENOUGH * of for found, of in counts):
            good.append((seconds, spacing))
        share = f"{wholes} of {of_wholes} wholes, {parts} of {of_parts} parts of {len(photos)} photos"
        table.add(f"adaptive, first 1 in {spacing} points a side: {share}", [seconds], "exact", [exact_s])
    table.told(
        f"adaptive: the fastest with {ENOUGH:.0%} of wholes and of parts",
        f"1 in {min(good)[1]}" if good else "none",
        "the default",
        f"1 in {EverythingSettings().spacing}",
        "",
        "the same",
    )


def _vit_b_rows(table: Table, large: Predictor, photo: EmbeddedPhoto, tiny: Predictor) -> None:
    """All that follows the encoder, up to the filters. The decoder's random weights draw noise, so what is measured after it
    are the default model's masks of the same points, at the size of its logits."""
    model, config = large.model, large.model.architecture.prompt
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(36, 1, 2, generator=generator) * config.image_side
    tokens = torch.cat([points, torch.zeros_like(points)], dim=1)
    labels = torch.tensor([[1.0, -1.0]]).repeat(len(tokens), 1)
    embedding = torch.from_numpy(photo.embedding.astype(np.float32))[None]
    share = RGB.shape[0] / config.image_side
    prompts = [Prompt(((float(x) * share, float(y) * share),), (1,)) for x, y in points[:, 0]]
    answers = tiny.predict_many(tiny.embed(RGB), prompts)
    masks = torch.from_numpy(np.stack([answer.logits_MHW for answer in answers]))
    side = large.logits_side
    masks = functional.interpolate(masks, (side, side), mode="bilinear")

    @torch.inference_mode()
    def plainly() -> None:
        for start in range(0, len(tokens), 4):
            model.decode(embedding, tokens[start : start + 4], labels[start : start + 4])
            for one in drawn(masks[start : start + 4], *photo.size, large.image_side).flatten(0, 1):
                float((one > 1).sum()) / max(1.0, float((one > -1).sum()))
                ys, xs = np.nonzero((one > 0).numpy())
                (xs.min(), ys.min(), xs.max(), ys.max()) if len(xs) else None

    @torch.inference_mode()
    def ours() -> None:
        shared = large.shared
        image = shared.prepare(embedding)
        counter = PixelCounter(photo.size, large.image_side, side)
        for start in range(0, len(tokens), 4):
            some = shared.decode(
                image, model.prompt_encoder.tokens(tokens[start : start + 4], labels[start : start + 4])
            )
            shared.logits(some, torch.arange(len(some.iou_B4)), slice(1, 4))
            own = masks[start : start + 4].flatten(0, 1)
            counter.counts(own, (1.0, -1.0))
            counter.boxes(own)

    table.add("sam_vit_b after the encoder: 36 points", timed(ours, 3), "written plainly", timed(plainly, 3), "3x")


def _mask_rows(table: Table) -> None:
    rng = np.random.default_rng(0)
    height, width = RGB.shape[:2]
    regions = []
    for _ in range(100):
        h, w = rng.integers(30, 400, 2)
        y, x = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
        blob = cv2.GaussianBlur(rng.normal(size=(h, w)).astype(np.float32), (0, 0), 9) > 0
        regions.append((blob, (x, y)))

    def whole(blob: np.ndarray, at: tuple[int, int]) -> object:
        mask = np.zeros((height, width), bool)
        mask[at[1] : at[1] + blob.shape[0], at[0] : at[0] + blob.shape[1]] = blob
        return encode(mask)

    table.add(
        "run lengths of 100 masks",
        timed(lambda: [encode_region(blob, at, (height, width)) for blob, at in regions], 5),
        "of the whole photo each",
        timed(lambda: [whole(blob, at) for blob, at in regions], 3),
    )
    low = rng.uniform(0, 1000, (2000, 2))
    boxes = np.concatenate([low, low + rng.uniform(20, 300, (2000, 2))], axis=1)
    scores = rng.random(2000)

    class Boxed:
        def __init__(self, box: np.ndarray) -> None:
            self.box = tuple(box.tolist())

    listed = [(Boxed(box), None) for box in boxes]
    table.add(
        "suppression among 2,000 boxes",
        timed(lambda: non_maximum_suppression(boxes, scores, 0.7), 3),
        "two loops",
        timed(lambda: suppress(listed, scores.tolist(), 0.7), 2, 0),
    )


def _training_row(table: Table) -> None:
    from engine.data.sources import PhotoSource, shelf_for
    from engine.recipes import RECIPES
    from engine.training.lessons import MaskLesson
    from engine.training.trainer import Trainer

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "photo.png"
        cv2.imwrite(str(picture), RGB)
        blobs = [
            cv2.GaussianBlur(rng.normal(size=RGB.shape[:2]).astype(np.float32), (0, 0), 60) > 0.004 for _ in range(8)
        ]
        records = [Record(f"photo{number}", picture, lambda: blobs) for number in range(4)]
        augmentation = Augmentation(full_side=384, min_area_px=36)

        def steps(precision: str) -> list[float]:
            run = RECIPES["larger"](seed=0, steps=None)
            run = replace(run, precision=precision, phases=run.phases[1:2])
            source = PhotoSource(shelf_for(records, augmentation), augmentation)
            model = load_checkpoint(DEFAULT_CHECKPOINT)
            lesson = MaskLesson(run, model)
            trainer = Trainer(run, model, lesson, source, Path(folder) / "out.safetensors")
            batch = source.batch(lesson.wanted(run.phases[0]), rng)
            return timed(lambda: trainer.take_step(iter([(batch, 0, rng)])), 4)

        table.add("a training step at 256 px, bfloat16", steps("bfloat16"), "float32", steps("float32"))
