"""What a run finds on a photo; and what is kept where masks are only looked at: to choose thresholds by eye (preview), or by
what people drew (calibration)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.annotation.selectors import masks_by_people
from backend.autolabel.models import AutolabelJob, AutolabelRun, Purpose
from backend.common.storage import get_storage
from engine import api as engine
from engine import masks as run_lengths

#: Figures are shown, and thresholds chosen and applied, by so many decimals.
DECIMALS = 4
#: The detector's own confidence that people would take a mask.
AS_LIKELY_AS_NOT = 0.5
#: Longest side of a preview's masks, in pixels: that of the thumbnails.
PREVIEW_SIDE = 256


def found_on(run: AutolabelRun, embedding: NDArray[np.float16], size: tuple[int, int]) -> list[Any]:
    """What a run finds on a photo, by its prompts and above its thresholds, most confident first.

    Raises:
        EngineError.
    """
    found = by_boxes(run, embedding, size) if run.detector is not None else by_grid(run, embedding, size)
    if run.purpose != Purpose.LABEL or (run.detector is None and not run.thresholds):
        return found
    limits = kept_above(run)
    if limits is None:
        return [one for one in found if one.confidence >= AS_LIKELY_AS_NOT]
    return [one for one in found if _passes(_figures(one), limits)]


def by_grid(run: AutolabelRun, embedding: NDArray[np.float16], size: tuple[int, int]) -> list[Any]:
    """`engine.inference.everything.ProposedMask`s."""
    with get_storage().local(run.checkpoint.storage_key) as weights:
        return list(engine.label_everything(embedding, size, checkpoint=weights, settings=_engine_settings(run)))


def by_boxes(run: AutolabelRun, embedding: NDArray[np.float16], size: tuple[int, int]) -> list[Any]:
    """`engine.detector.quality.BoxMask`s. No setting says which boxes there are."""
    assert run.detector is not None
    storage = get_storage()
    with storage.local(run.checkpoint.storage_key) as weights, storage.local(run.detector.storage_key) as file:
        return list(engine.propose_masks(embedding, size, detector=file, checkpoint=weights))


def kept_above(run: AutolabelRun) -> tuple[float, float] | None:
    """The predicted IoU that a mask of a run for the dataset must be above, and the stability that it must have at least.

    None: nobody has said what a mask by a detector's box must have, so it is kept by the detector's confidence.
    """
    limits = {**run.settings, **run.thresholds}
    if run.detector_id is None:
        return engine.everything_limits(limits)
    if not {"min_predicted_iou", "min_stability"} & set(limits):
        return None
    return limits.get("min_predicted_iou", 0.0), limits.get("min_stability", 0.0)


def _engine_settings(run: AutolabelRun) -> dict[str, Any]:
    """What the engine is asked for.

    Where thresholds are chosen among candidates, a run, its preview and its calibration have the same candidates, and the
    thresholds are applied to what is left of them: so a run keeps exactly the masks that the preview showed. Predicted IoU
    may come first, which saves time, because among these candidates none goes for a less confident one.
    """
    if run.purpose == Purpose.LABEL and not run.thresholds:
        return dict(run.settings)
    candidates = engine.everything_candidates(run.settings)
    if run.purpose == Purpose.LABEL:
        limits = kept_above(run)
        assert limits is not None, "a grid has limits"
        candidates["min_predicted_iou"] = max(0.0, limits[0] - 10**-DECIMALS)
    return candidates


def _passes(figures: dict[str, Any], limits: tuple[float, float]) -> bool:
    """By the figures that people see, and that thresholds are chosen by."""
    return bool(figures["predicted_iou"] > limits[0] and figures["stability"] >= limits[1])


def preview_of(found: list[Any]) -> dict[str, Any]:
    """What is kept of a photo's candidates to be looked at."""
    return {"masks": [_shrunk(one) for one in found], "truths": 0}


def _figures(proposal: Any) -> dict[str, Any]:
    return {
        "predicted_iou": round(proposal.predicted_iou, DECIMALS),
        "stability": round(proposal.stability_score, DECIMALS),
    }


def _shrunk(proposal: Any) -> dict[str, Any]:
    """Run lengths at the size of a thumbnail: each pixel is that of the photo under its middle."""
    mask_HW = run_lengths.decode(proposal.rle)
    height, width = mask_HW.shape
    scale = min(1.0, PREVIEW_SIDE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    rows, columns = (
        ((np.arange(count) + 0.5) * of / count).astype(int) for count, of in zip(size, (height, width), strict=True)
    )
    small = run_lengths.encode(mask_HW[np.ix_(rows, columns)])
    return {**_figures(proposal), "area": proposal.area, "size": list(size), "counts": small["counts"]}


def calibration_of(job: AutolabelJob, embedding: NDArray[np.float16]) -> dict[str, Any]:
    """What both kinds of prompts find on a photo, each candidate with the person's mask that fits it best."""
    image, run = job.image, job.run
    drawn = masks_by_people().filter(image=image).order_by("id")
    truths = [
        run_lengths.Rle(size=list(image.size), counts=counts) for counts in drawn.values_list("counts", flat=True)
    ]
    kept = {"masks": _compared(by_grid(run, embedding, image.size), truths), "truths": len(truths)}
    if run.detector is not None:
        kept["boxes"] = _compared(by_boxes(run, embedding, image.size), truths)
    return kept


def _compared(proposals: list[Any], truths: list[run_lengths.Rle]) -> list[dict[str, Any]]:
    compared = [{**_figures(one), "iou": 0.0, "truth": None} for one in proposals]
    if truths and proposals:
        iou_NM = run_lengths.iou([one.rle for one in proposals], truths)
        for row, best in zip(compared, iou_NM.argmax(axis=1), strict=True):
            row["truth"] = int(best)
        for row, value in zip(compared, iou_NM.max(axis=1), strict=True):
            row["iou"] = round(float(value), 4)
    return compared
