"""Settings that a web process checks, so without torch."""

from dataclasses import dataclass

from engine.errors import PromptInvalid


@dataclass(frozen=True, kw_only=True, slots=True)
class EverythingSettings:
    """The paper's numbers, apart from confidence and stability, which belong to a checkpoint: 0.88 and 0.95 are ViT-H's."""

    points_per_side: int = 32
    points_per_batch: int = 32
    min_predicted_iou: float = 0.35
    min_stability: float = 0.30
    max_area_share: float = 0.95  # of the photo
    nms_iou: float = 0.7  # of boxes
    min_region_px: int = 100  # specks dropped, holes filled
    max_masks: int = 1000

    def check(self) -> None:
        """Raises PromptInvalid where a setting is of another kind, or out of range."""
        ranges: dict[str, tuple[type, float, float]] = {
            "points_per_side": (int, 1, 128),
            "points_per_batch": (int, 1, 1024),
            "min_predicted_iou": (float, 0, 1),
            "min_stability": (float, 0, 1),
            "max_area_share": (float, 0, 1),
            "nms_iou": (float, 0, 1),
            "min_region_px": (int, 0, 1_000_000),
            "max_masks": (int, 1, 100_000),
        }
        for name, (kind, low, high) in ranges.items():
            value = getattr(self, name)
            is_number = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
            if not is_number or not low <= value <= high:
                what = "a whole number" if kind is int else "a number"
                raise PromptInvalid(f"{name} is {what} from {low:g} to {high:g}, not {value!r}")
