"""Refusals of this app."""

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from backend.common.errors import DomainError
from backend.datasets.models import Image


class AssignmentNotHeld(DomainError):
    """It ran out, was closed before, or is another person's."""

    code: ClassVar[str] = "assignment_not_held"

    def __init__(self, assignment_id: UUID) -> None:
        super().__init__(
            "You no longer hold this photo: the lease ran out, or it was closed in another tab. "
            "Your work is still in the page; take the photo again to save it.",
            assignment=str(assignment_id),
        )


class AssignmentInAnotherTab(DomainError):
    """The person has it open in another window, and only that one writes. Nothing is lost: it may be taken over."""

    code: ClassVar[str] = "assignment_in_another_tab"

    def __init__(self, assignment_id: UUID, tab: str) -> None:
        super().__init__(
            "You have this photo open in another window, and only one of them can change it. "
            "Your work is still in this page; take the photo over to save it.",
            assignment=str(assignment_id),
            tab=tab,
        )


class JobNotYours(DomainError):
    code: ClassVar[str] = "job_not_yours"
    status: ClassVar[int] = 403


class MasksMissing(DomainError):
    """Names the masks to send again; the assignment stays open."""

    code: ClassVar[str] = "masks_missing"

    def __init__(self, missing: Iterable[UUID]) -> None:
        names = sorted(map(str, missing))
        super().__init__(f"{len(names)} of the photo's masks have not arrived yet.", masks=names)


class MasksUncorrected(DomainError):
    """Names the masks that somebody found faulty and nobody has corrected or removed."""

    code: ClassVar[str] = "masks_uncorrected"

    def __init__(self, faulty: Iterable[UUID], image: Image) -> None:
        names = sorted(map(str, faulty))
        count = (
            "1 mask of this photo still waits" if len(names) == 1 else f"{len(names)} masks of this photo still wait"
        )
        super().__init__(f"{count} to be corrected or removed.", masks=names, **_place(image))


class MasksUndecided(DomainError):
    """Names the proposals that people have not agreed about. What was drawn is stored; the photo comes again."""

    code: ClassVar[str] = "masks_undecided"

    def __init__(self, undecided: Iterable[UUID], image: Image) -> None:
        names = sorted(map(str, undecided))
        what = "1 proposal" if len(names) == 1 else f"{len(names)} proposals"
        super().__init__(
            f"People have not agreed yet about {what} on this photo, so it cannot be completed now. "
            "Your masks are saved: give the photo back, and it comes again once that is decided.",
            masks=names,
            **_place(image),
        )


def _place(image: Image) -> dict[str, str]:
    """Where the person can do something about it: by then the page shows another photo."""
    return {"dataset": str(image.dataset_id), "image": str(image.id)}


class MaskIdTaken(DomainError):
    code: ClassVar[str] = "mask_id_taken"


class MaskRefused(DomainError):
    code: ClassVar[str] = "mask_invalid"
    status: ClassVar[int] = 400


class ReplacedAlready(DomainError):
    code: ClassVar[str] = "replaced_already"
