"""Settings that a web process checks, so without torch."""

from dataclasses import dataclass

from engine.errors import PromptInvalid


@dataclass(frozen=True, kw_only=True, slots=True)
class EverythingSettings:
    """The paper's numbers, apart from the confidence, which belongs to a checkpoint: 0.88 is ViT-H's."""

    points_per_side: int = 32
    points_per_batch: int = 32
    min_predicted_iou: float = 0.70
    min_stability: float = 0.90
    max_area_share: float = 0.95  # of the photo
    nms_iou: float = 0.7  # of boxes
    min_region_px: int = 100  # specks dropped, holes filled
    max_masks: int = 1000

    def check(self) -> None:
        """Raises PromptInvalid where a setting is out of range."""
        if not 1 <= self.points_per_side <= 128:
            raise PromptInvalid(f"points_per_side is 1 to 128, not {self.points_per_side}")
        for name in ("min_predicted_iou", "min_stability", "max_area_share", "nms_iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise PromptInvalid(f"{name} is 0 to 1, not {getattr(self, name)}")
