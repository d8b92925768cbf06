"""Questions whose answer is known: masks that people made, and spoiled copies of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.accounts.models import User
from backend.annotation.models import Mask
from backend.annotation.selectors import masks_by_people
from backend.common.lots import LOTS
from backend.datasets.models import Dataset, Split
from backend.review.models import Answer, Question, QuestionKind
from engine import masks as run_lengths

#: A spoiled copy overlaps the mask by no more IoU than this, so that nobody can take it for right.
MOST_SPOILED_IOU = 0.7
#: Smaller masks are not used: half of a few pixels looks like all of them.
LEAST_AREA_PX = 100
_DRAWN_FROM = 500


class Known(NamedTuple):
    mask: Mask
    counts: str  # "": the mask's own
    expected: Answer


def known_for(*, dataset: Dataset, person: User, count: int) -> list[Known]:
    """Some that the person has not seen and did not make; half of them spoiled. Fewer where there are no more."""
    seen = Question.objects.filter(holder=person, kind=QuestionKind.KNOWN).values("mask_id")
    good = (
        masks_by_people()
        .filter(image__dataset=dataset, image__split=Split.TRAIN, area__gte=LEAST_AREA_PX)
        .exclude(id__in=seen)
        .exclude(author=person)
    )
    ids = list(good.order_by("-created_at").values_list("id", flat=True)[:_DRAWN_FROM])
    drawn = LOTS.sample(ids, min(count, len(ids)))
    masks = Mask.objects.select_related("image").in_bulk(drawn)
    found = []
    for mask in filter(None, map(masks.get, drawn)):
        counts = spoiled(mask) if LOTS.random() < 0.5 else ""
        found.append(Known(mask, counts, Answer.FIX if counts else Answer.ACCEPT))
    return found


def spoiled(mask: Mask) -> str:
    """Run lengths of the mask as it should not be: half of it missing, or bled into its surroundings. "": cannot be done."""
    copies = spoiled_copies(run_lengths.Rle(size=list(mask.image.size), counts=mask.counts))
    return LOTS.choice(copies)["counts"] if copies else ""


def spoiled_copies(rle: run_lengths.Rle) -> list[run_lengths.Rle]:
    """All that may be made of an outline; none where they would be too like it."""
    whole_HW, box = run_lengths.decode(rle), run_lengths.bbox(rle)
    made = [run_lengths.encode(way(whole_HW, box)) for way in (_halved, _bled)]
    return [one for one in made if run_lengths.area(one) and run_lengths.iou([rle], [one])[0, 0] <= MOST_SPOILED_IOU]


def _halved(mask_HW: NDArray[np.bool_], box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    x0, y0, x1, y1 = box
    left = mask_HW.copy()
    if x1 - x0 >= y1 - y0:
        left[:, (x0 + x1) // 2 :] = False
    else:
        left[(y0 + y1) // 2 :] = False
    return left


def _bled(mask_HW: NDArray[np.bool_], box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Together with itself, moved by half of its size to where there is room."""
    height, width = mask_HW.shape
    x0, y0, x1, y1 = box
    dx = (x1 - x0) // 2 * (1 if width - x1 >= x0 else -1)
    dy = (y1 - y0) // 2 * (1 if height - y1 >= y0 else -1)
    moved = np.zeros_like(mask_HW)
    moved[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)] = mask_HW[
        max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)
    ]
    return mask_HW | moved
