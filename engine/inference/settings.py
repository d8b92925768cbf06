"""Settings of everything-mode that a web process checks, so without torch."""

import math
from dataclasses import dataclass

from engine.errors import PromptInvalid

MODES = ("exact", "adaptive")


@dataclass(frozen=True, kw_only=True, slots=True)
class EverythingSettings:
    """How a photo's masks are found; see `engine.inference.everything`.

    The defaults are ours, for `maskloop_tiny`: confidence and stability belong to a checkpoint, and the paper's 0.88 and 0.95
    are ViT-H's. See `usual_settings`.

    Attributes:
        mode: exact: every point of the grid is asked. adaptive: only those that still promise something.
        spacing: of the points that adaptive asks first, 1 in so many along each side.
        nearly: adaptive goes on beside a point whose best predicted IoU is at most that much too low.
        points_per_side: of the grid on the whole photo.
        points_per_batch: that go through the decoder together; None: see `batch_on`.
        crop_layers: 1 adds 2 x 2 crops, 2 also 4 x 4, at the photo's full resolution.
        crop_points_divisor: each layer of crops has so many times fewer points per side.
        crop_overlap: of neighbouring crops, as a share of the photo's short side, at 2 crops a side.
        min_predicted_iou: a mask's must be above it. The head that predicts it is not bounded: it may say less than 0, so 0
            drops some.
        min_stability: a mask's must be at least that: the share of it at logit `-stability_offset` that is still in it at
            `stability_offset`.
        max_area_share: of the photo; masks as large or larger are dropped. 1: none is.
        nms_iou, crop_nms_iou: of boxes, within a crop and across crops; the overlap from which the lesser one goes.
        min_region_px: pieces below are dropped, holes below are filled.
        keep_largest: of a mask that has only pieces below `min_region_px`, the largest stays, as in the released
            generator; the paper drops the mask.
        nms_after_cleaning: once more, between masks that cleaning may have made alike, as in the released generator.
        untouched_first: then a mask that cleaning left alone goes before a more confident one that it changed, as in the
            released generator. False: the more confident one stays, so that what is left above a confidence does not depend
            on what is below.
        promising_iou: adaptive goes on beside points by this predicted IoU. None: by `min_predicted_iou`; another one where
            that is chosen afterwards, so that the same points are asked whichever is.
        max_masks: so many of the most confident ones are drawn and cleaned; what cleaning drops is not made up for.
    """

    mode: str = "exact"
    spacing: int = 2
    nearly: float = 0.05
    points_per_side: int = 32
    points_per_batch: int | None = None
    crop_layers: int = 0
    crop_points_divisor: int = 2
    crop_overlap: float = 512 / 1500
    min_predicted_iou: float = 0.5
    min_stability: float = 0.4
    stability_offset: float = 0.5
    max_area_share: float = 0.95
    nms_iou: float = 0.7
    crop_nms_iou: float = 0.7
    min_region_px: int = 100
    keep_largest: bool = False
    nms_after_cleaning: bool = True
    untouched_first: bool = True
    promising_iou: float | None = None
    max_masks: int = 1000

    def batch_on(self, device: str) -> int:
        """Points that go through the decoder together on a kind of device, where nobody says: a CPU is fastest with few, whose
        tensors fit its caches; a graphics card wants many (64, as SAM-r)."""
        return self.points_per_batch or (64 if device == "cuda" else 4)

    def check(self) -> None:
        """Raises PromptInvalid where a setting is of another kind, or out of range."""
        if self.mode not in MODES:
            raise PromptInvalid(f"mode is one of {', '.join(MODES)}, not {self.mode!r}")
        for name in ("keep_largest", "nms_after_cleaning", "untouched_first"):
            if not isinstance(getattr(self, name), bool):
                raise PromptInvalid(f"{name} is true or false, not {getattr(self, name)!r}")
        ranges: dict[str, tuple[type, float, float]] = {
            "spacing": (int, 1, 16),
            "nearly": (float, 0, 1),
            "points_per_side": (int, 1, 128),
            "points_per_batch": (int, 1, 1024),
            "crop_layers": (int, 0, 2),
            "crop_points_divisor": (int, 1, 8),
            "crop_overlap": (float, 0, 1),
            "min_predicted_iou": (float, -math.inf, 1),
            "min_stability": (float, 0, 1),
            "promising_iou": (float, 0, 1),
            "stability_offset": (float, 0, 100),
            "max_area_share": (float, 0, 1),
            "nms_iou": (float, 0, 1),
            "crop_nms_iou": (float, 0, 1),
            "min_region_px": (int, 0, 1_000_000),
            "max_masks": (int, 1, 100_000),
        }
        for name, (kind, low, high) in ranges.items():
            value = getattr(self, name)
            if value is None and name in ("promising_iou", "points_per_batch"):
                continue
            is_number = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
            if not is_number or not low <= value <= high:
                what = "a whole number" if kind is int else "a number"
                raise PromptInvalid(f"{name} is {what} from {low:g} to {high:g}, not {value!r}")


#: By name: what made SA-1B (SAM-p, appendix B), the released generator's defaults (SAM-r,
#: `automatic_mask_generator.py`), and ours.
PRESETS = {
    "paper": EverythingSettings(
        crop_layers=2,
        min_predicted_iou=0.88,
        min_stability=0.95,
        stability_offset=1.0,
        nms_after_cleaning=False,
        max_masks=100_000,
    ),
    "released": EverythingSettings(
        crop_points_divisor=1,
        min_predicted_iou=0.88,
        min_stability=0.95,
        stability_offset=1.0,
        max_area_share=1.0,
        min_region_px=0,
        keep_largest=True,
        max_masks=100_000,
    ),
    "maskloop": EverythingSettings(),
}
#: Which of them the published models are asked by where nobody says: the limits were published with them. All others: ours.
PRESET_OF = dict.fromkeys(("sam_vit_b", "sam_vit_l", "sam_vit_h", "mobile_sam"), "released")


def usual_settings(architecture: str) -> EverythingSettings:
    return PRESETS[PRESET_OF.get(architecture, "maskloop")]
