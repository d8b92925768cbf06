"""What the simulated people did, as they know it themselves: nothing here is asked of the server."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Entry:
    """One mask, or one verdict.

    Attributes:
        kind: drawn, corrected, repaired (by an audit), verdict.
        clicks_beyond: the first, to `Habits.stop_iou`; where it was never reached, as many as there may be. None: of verdicts.
        is_failure: not there after 5 clicks.
        iou: with the truth, as it was accepted.
    """

    kind: str
    round: int
    photo: str
    person: int
    seconds: float
    clicks: int = 0
    clicks_beyond: int | None = None
    is_failure: bool = False
    is_brushed: bool = False
    iou: float | None = None
    answer: str = ""
    split: str = "train"
    thing: int | None = None

    @property
    def counts_for_training(self) -> bool:
        """Whether it gave the model a mask to learn from."""
        is_mask = self.kind in ("drawn", "corrected") or self.answer == "accept"
        return is_mask and self.split == "train"


@dataclass(slots=True)
class Ledger:
    """
    Attributes:
        masks: image id -> ids of masks by people that must count now.
        answers: (image id, run lengths of an outline) -> what people said of it. Which mask it is they are not told.
        gone: ids of masks that people replaced or removed.
        bodies: what was sent, to be sent again if the server asks for it.
    """

    entries: list[Entry] = field(default_factory=list)
    masks: dict[str, set[str]] = field(default_factory=dict)
    answers: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    put: int = 0
    removed: int = 0
    photos_done: Counter[str] = field(default_factory=Counter)
    complete: set[str] = field(default_factory=set)

    def sent(self, image: str, mask: str, body: dict[str, Any]) -> None:
        self.put += 1
        self.masks.setdefault(image, set()).add(mask)
        self.bodies[mask] = body
        if body["replaces"]:
            self.lost_to_people(image, body["replaces"])

    def lost_to_people(self, image: str, mask: str) -> None:
        """A mask that was replaced or removed does not count any more."""
        self.gone.add(mask)
        self.masks.get(image, set()).discard(mask)

    def accepted(self) -> set[tuple[str, str]]:
        """Outlines that all who were asked found right."""
        return {outline for outline, answers in self.answers.items() if set(answers) == {"accept"}}

    def as_dicts(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.entries]
