"""What is simulated: how people click and err, how much they do, and when the model learns from it."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Habits:
    """How a simulated person works. Times are SAM 2's: 1 s to find an object, 1.5 s a click (SAM 2, appendix D).

    Attributes:
        stop_iou: a mask this good is accepted.
        sloppy_share, sloppy_iou: so many masks are accepted when they are only this good.
        most_clicks: on one object; then the brush finishes it.
        click_noise: standard deviation of a click around the middle of the error, as a share of the object's size (the root of
            its area).
        wrong_click_share: of clicks, that go beside what they are meant for.
        missed_share: of objects, that nobody sees on a photo.
        judging_noise: standard deviation of the IoU that is seen when a proposal is judged.
        objects_per_image: on training photos people stop after so many, and do not say that nothing is left; None: never.
        find_seconds: to see the next object, or to look at a proposal.
        choose_seconds: to look at the next one of the three masks.
        key_seconds: to say what one thinks of a proposal.
        brush_seconds: to finish an object by hand.
    """

    stop_iou: float = 0.85
    sloppy_share: float = 0.03
    sloppy_iou: float = 0.75
    most_clicks: int = 10
    click_noise: float = 0.05
    wrong_click_share: float = 0.02
    missed_share: float = 0.02
    judging_noise: float = 0.03
    objects_per_image: int | None = None
    find_seconds: float = 1.0
    click_seconds: float = 1.5
    choose_seconds: float = 0.5
    key_seconds: float = 0.5
    undo_seconds: float = 0.5
    brush_seconds: float = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """One simulation.

    Attributes:
        data: a label-map folder: images/ID.jpg, masks/ID.png.
        images: photos that are imported, drawn by the seed; None: all.
        most_objects: photos with more objects are left aside; None: none is.
        retrain_every: new masks on training photos.
        assisted_rounds, semi_rounds: retrainings in the first stage, and in the second one.
        recipe: of the retrainings.
        test_images: complete test photos that the gate wants before it decides.
        left_for_model: share of the training photos that people leave to the automatic stage.
        wanted_precision: of automatic masks; the thresholds are chosen for it.
        proposal_precision: share of the proposals that are to be taken as they are; less where it cannot promise so much.
        least_precision: a detector that can promise no more is of no help, and people go on drawing.
        order, known_share, verified_twice_share: how proposals are asked about, see `ReviewRules`. As the photos came, so that
            what a worker has ready in this moment has no part in it.
        everything: settings of everything-mode, see `engine.inference.settings`.
        audit_share: of the automatic masks that people look at.
        trial: objects that are drawn for comparison after each semi-automatic round, and not sent.
        holdout: photos of the holdout split that are measured at the end; None: all.
    """

    data: Path
    out: Path
    annotators: int = 4
    images: int | None = 300
    most_objects: int | None = None
    seed: int = 0
    retrain_every: int = 500
    assisted_rounds: int = 3
    semi_rounds: int = 2
    recipe: str = "decoder"
    test_images: int = 20
    left_for_model: float = 0.3
    wanted_precision: float = 0.8
    proposal_precision: float = 0.6
    least_precision: float = 0.2
    order: str = "import"
    known_share: float = 0.05
    verified_twice_share: float = 0.1
    everything: dict[str, Any] = field(default_factory=dict)
    audit_share: float = 0.05
    trial: int = 100
    holdout: int | None = None
    habits: Habits = field(default_factory=Habits)
    name: str = "Simulation"

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "data": self.data.name, "out": None}
