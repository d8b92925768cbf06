"""What the simulated people did, as they know it themselves: nothing here is asked of the server."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from backend.review.known import spoiled_copies
from engine import masks as run_lengths


@dataclass(slots=True)
class Entry:
    """One mask, or one verdict.

    Attributes:
        kind: drawn, corrected, repaired (by an audit), verdict.
        is_mask: it gave a mask: drawn, corrected, or the first verdict to accept an outline that nobody else refused.
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
    is_mask: bool = False

    @property
    def counts_for_training(self) -> bool:
        """Whether it gave the model a mask to learn from."""
        return self.is_mask and self.split == "train"


@dataclass(slots=True)
class Ledger:
    """
    Attributes:
        masks: image id -> ids of masks by people that must count now.
        answers: (image id, run lengths of an outline) -> what people said of it. Which mask it is they are not told.
        outlines: image id -> run lengths of all masks that people sent, those that are gone included.
        gone: ids of masks that people replaced or removed.
        bodies: what was sent, to be sent again if the server asks for it.
    """

    entries: list[Entry] = field(default_factory=list)
    masks: dict[str, set[str]] = field(default_factory=dict)
    answers: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    outlines: dict[str, set[str]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    put: int = 0
    removed: int = 0
    photos_done: Counter[str] = field(default_factory=Counter)
    complete: set[str] = field(default_factory=set)
    _accepted_by: dict[tuple[str, str], Entry] = field(default_factory=dict)
    _spoiled: dict[str, dict[str, set[str]]] = field(default_factory=dict)  # image id -> outline -> its spoiled copies

    def sent(self, image: str, mask: str, body: dict[str, Any]) -> None:
        self.put += 1
        self.masks.setdefault(image, set()).add(mask)
        self.bodies[mask] = body
        self.outlines.setdefault(image, set()).add(body["counts"])
        if body["replaces"]:
            self.lost_to_people(image, body["replaces"])

    def lost_to_people(self, image: str, mask: str) -> None:
        """A mask that was replaced or removed does not count any more."""
        self.gone.add(mask)
        self.masks.get(image, set()).discard(mask)

    def judged(self, image: str, size: Sequence[int], counts: str, entry: Entry) -> None:
        """A verdict. A second opinion, or one on what people drew themselves, gives no further mask."""
        outline, answer = (image, counts), entry.answer
        before = self.answers.setdefault(outline, [])
        if answer == "accept" and not before and not self.is_known(image, size, counts):
            entry.is_mask = True
            self._accepted_by[outline] = entry
        elif answer != "accept" and outline in self._accepted_by:
            self._accepted_by.pop(outline).is_mask = False
        before.append(answer)
        self.entries.append(entry)

    def is_known(self, image: str, size: Sequence[int], counts: str) -> bool:
        """Whether somebody drew this outline, or it is a spoiled copy of one that somebody drew: then it was no proposal."""
        drawn = self.outlines.get(image, set())
        copies = self._spoiled.setdefault(image, {})
        for own in drawn - copies.keys():
            rle = run_lengths.Rle(size=list(size), counts=own)
            copies[own] = {copy["counts"] for copy in spoiled_copies(rle)}
        return counts in drawn or any(counts in own for own in copies.values())

    def accepted(self) -> set[tuple[str, str]]:
        """Outlines that all who were asked found right."""
        return {outline for outline, answers in self.answers.items() if set(answers) == {"accept"}}

    def as_dicts(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.entries]
