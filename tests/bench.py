"""`make bench`: the figures that README names, on this machine, each with its budget. Benchmarks, not tests.

python -m tests.bench
"""

import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import numpy as np

from engine import masks as run_lengths
from engine.api import DEFAULT_CHECKPOINT
from tests.system.client import Client
from tests.system.conftest import Running, start, world_readable


def timed(what: Callable[[], object], times: int, warm_up: int = 2) -> list[float]:
    """Seconds of each, after a warm-up."""
    for _ in range(warm_up):
        what()
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        what()
        seconds.append(time.perf_counter() - began)
    return seconds


def row(name: str, seconds: list[float], budget: str, *, unit: str = "ms") -> None:
    factor = 1000 if unit == "ms" else 1
    values = sorted(value * factor for value in seconds)
    p95 = values[min(len(values) - 1, round(0.95 * len(values)))]
    print(f"{name:<52} {statistics.median(values):8.1f} {p95:8.1f} {unit:<3} {budget}", flush=True)


def engine_rows() -> None:
    import onnxruntime

    from engine.api import export_decoder
    from engine.inference.everything import label_everything
    from engine.inference.predictor import Predictor, Prompt
    from engine.model.checkpoint import load_checkpoint

    predictor = Predictor(load_checkpoint(DEFAULT_CHECKPOINT))
    rgb = np.random.default_rng(0).integers(0, 255, (1000, 1500, 3), np.uint8)
    photo = predictor.embed(rgb)
    row("embedding an image of 1.5 megapixels", timed(lambda: predictor.embed(rgb), 10), "400 ms")
    click = Prompt(((750.5, 500.5),), (1,))
    row("a click, torch, pixels included", timed(lambda: predictor.predict(photo, click).mask(), 10), "-")
    with tempfile.TemporaryDirectory() as folder:
        export_decoder(DEFAULT_CHECKPOINT, Path(folder) / "decoder.onnx")
        for threads in (1, 2):
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            session = onnxruntime.InferenceSession(Path(folder) / "decoder.onnx", options)
            side = predictor.logits_side
            given = {
                "image_embedding": photo.embedding[None].astype(np.float32),
                "point_coords": np.zeros((1, 2, 2), np.float32),
                "point_labels": np.array([[1, -1]], np.float32),
                "mask_input": np.zeros((1, 1, side, side), np.float32),
                "has_mask_input": np.zeros(1, np.float32),
            }
            row(
                f"a click, ONNX, model alone, {threads} threads",
                timed(lambda s=session, g=given: s.run(None, g), 20),
                "-",
            )
    row("everything, 32 x 32 points", timed(lambda: label_everything(predictor, photo), 2, 0), "-", unit="s")


def http_rows(maskloop: Running) -> None:
    script: Client = maskloop.admin()
    dataset = next(d["id"] for d in script.get("/api/datasets/") if d["name"] == "Demo")
    assignment = script.post(f"/api/datasets/{dataset}/assignments/", {"besides": []})["assignment"]
    size = (assignment["image"]["height"], assignment["image"]["width"])
    mask = np.zeros(size, bool)
    mask[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = True
    rle = run_lengths.encode(mask)
    body = {
        "assignment": assignment["id"],
        "size": list(rle["size"]),
        "counts": rle["counts"],
        "origin": "assisted",
        "prompts": [{"kind": "point", "at": [9.5, 9.5], "label": 1}],
        "predicted_iou": 0.9,
        "stability": 0.9,
        "choice": 0,
        "seconds": 1.0,
        "clicks": 1,
        "replaces": None,
    }
    row("saving a mask, HTTP round trip", timed(lambda: script.put(f"/api/masks/{uuid4()}/", body), 100), "10 ms")
    besides = {"besides": []}
    ask = timed(lambda: script.post(f"/api/datasets/{dataset}/assignments/", besides), 50)
    row("asking for the photo at hand again, HTTP", ask, "-")


def main() -> int:
    print(f"{platform.machine()}, Python {platform.python_version()}; median and 95th percentile, then the budget")
    engine_rows()
    with tempfile.TemporaryDirectory() as folder:
        var = world_readable(Path(folder)) / "var"
        first = start(var)
        first.wait_until_ready(300)
        first.stop()
        second = start(var)
        try:
            row("`make run`, the second time, to the ready line", [second.wait_until_ready()], "10 s", unit="s")
            http_rows(second)
        finally:
            second.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
