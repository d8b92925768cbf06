"""What a checkpoint is worth on photos that nobody decided by: the engine's own evaluation, against the truth."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.launch.places import ROOT
from backend.launch.sentence import Sentence

RESAMPLES = 10_000
FAILED_AFTER_CLICKS = 5


@dataclass(frozen=True, slots=True)
class Curves:
    """Of one checkpoint: for each photo, for each object, IoU after each click of a person who always hits the middle."""

    of_photo: dict[str, list[list[float]]]

    def figures(self, stop_iou: float, most_clicks: int) -> dict[str, NDArray[np.float64]]:
        """Per object: IoU after 1 click, clicks beyond the first to `stop_iou`, whether 5 clicks do not reach it."""
        curves = [curve for name in sorted(self.of_photo) for curve in self.of_photo[name]]

        def clicks(curve: list[float]) -> int:
            return next((n for n, iou in enumerate(curve[:most_clicks], 1) if iou >= stop_iou), most_clicks)

        return {
            "miou_1": np.array([curve[0] for curve in curves]),
            "clicks_beyond": np.array([clicks(curve) - 1 for curve in curves], float),
            "failures_5": np.array([max(curve[:FAILED_AFTER_CLICKS]) < stop_iou for curve in curves], float),
        }


def measure(
    data: Path, names: Sequence[str], checkpoints: Sequence[Path], *, clicks: int, folder: Path
) -> list[Curves]:
    """Each checkpoint on the same photos, side by side, one core each.

    Args:
        names: of photos, without their endings.
        folder: scratch space.
    Raises:
        Sentence: the engine failed; its words say why.
    """
    only = folder / "holdout.txt"
    only.write_text("\n".join(names))

    def one(checkpoint: Path) -> Curves:
        out = checkpoint.with_suffix(".json")
        arguments = ["evaluate", "clicks", "--data", str(data), "--only", str(only), "--checkpoint", str(checkpoint)]
        arguments += ["--clicks", str(clicks), "--each", "--threads", "1", "--json", str(out)]
        done = subprocess.run(
            [sys.executable, "-m", "engine", *arguments],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Sentence(f"The engine could not evaluate {checkpoint.name}: {done.stderr.strip()[-500:]}")
        report = json.loads(out.read_text())
        return Curves({name: [one["iou"] for one in objects] for name, objects in report["objects_of"].items()})

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return list(pool.map(one, checkpoints))


def compared(first: Curves, last: Curves, *, stop_iou: float, most_clicks: int) -> dict[str, Any]:
    """Each figure before and after, with 95% intervals: bootstrap over photos, the same ones drawn for both.

    Photos without an object say nothing; empty where there are no others.
    """
    sizes = np.array([len(first.of_photo[name]) for name in sorted(first.of_photo) if first.of_photo[name]])
    if not len(sizes):
        return {}
    weights = np.random.default_rng(0).multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=RESAMPLES)
    counts = np.maximum(weights @ sizes, 1)
    before, after = (curves.figures(stop_iou, most_clicks) for curves in (first, last))
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])

    def resampled(values: NDArray[np.float64]) -> NDArray[np.float64]:
        means: NDArray[np.float64] = (weights @ np.add.reduceat(values, starts)) / counts
        return means

    found: dict[str, Any] = {"photos": len(sizes), "objects": int(sizes.sum())}
    for name in before:
        found[name] = {
            "first": _with_interval(before[name].mean(), resampled(before[name])),
            "last": _with_interval(after[name].mean(), resampled(after[name])),
            "change": _with_interval((after[name] - before[name]).mean(), resampled(after[name] - before[name])),
        }
    return found


def _with_interval(mean: float, means: NDArray[np.float64]) -> dict[str, float]:
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": float(mean), "low": float(low), "high": float(high)}
