"""Masks that are looked at and not kept: to choose thresholds by eye (preview), or by what people drew (calibration)."""

from typing import Any

import numpy as np

from backend.annotation.selectors import masks_by_people
from backend.autolabel.models import AutolabelJob, AutolabelRun, Purpose
from engine import masks as run_lengths

#: What thresholds can be chosen from: everything above these.
LOOSEST = {"min_predicted_iou": 0.0, "min_stability": 0.0}
#: Longest side of a preview's masks, in pixels: that of the thumbnails.
PREVIEW_SIDE = 256


def engine_settings(run: AutolabelRun) -> dict[str, Any]:
    """What the engine is asked for.

    Where thresholds were chosen among candidates, stability is applied to what is left after suppression, in a run as in its
    preview: so a run keeps exactly the masks that the preview showed. Predicted IoU may come first, because suppression keeps
    the more confident of two anyway.
    """
    if run.purpose != Purpose.LABEL:
        return {**run.settings, **LOOSEST}
    if not run.thresholds:
        return dict(run.settings)
    return {**run.settings, **run.thresholds, "min_stability": LOOSEST["min_stability"]}


def candidates_of(job: AutolabelJob, proposals: list[Any]) -> dict[str, Any] | None:
    """What is kept of a photo's candidates, by the purpose of the run."""
    if job.run.purpose == Purpose.PREVIEW:
        return {"masks": [_shrunk(one) for one in proposals], "truths": 0}
    if job.run.purpose == Purpose.CALIBRATE:
        return _compared(job, proposals)
    return None


def _figures(proposal: Any) -> dict[str, Any]:
    return {"predicted_iou": round(proposal.predicted_iou, 4), "stability": round(proposal.stability_score, 4)}


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


def _compared(job: AutolabelJob, proposals: list[Any]) -> dict[str, Any]:
    """Each candidate with the person's mask that fits it best."""
    drawn = masks_by_people().filter(image=job.image).order_by("id")
    truths = [
        run_lengths.Rle(size=list(job.image.size), counts=counts) for counts in drawn.values_list("counts", flat=True)
    ]
    compared = [{**_figures(one), "iou": 0.0, "truth": None} for one in proposals]
    if truths and proposals:
        iou_NM = run_lengths.iou([one.rle for one in proposals], truths)
        for row, best in zip(compared, iou_NM.argmax(axis=1), strict=True):
            row["truth"] = int(best)
        for row, value in zip(compared, iou_NM.max(axis=1), strict=True):
            row["iou"] = round(float(value), 4)
    return {"masks": compared, "truths": len(truths)}
