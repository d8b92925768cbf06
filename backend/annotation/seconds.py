"""Whether the seconds that a page claims for its masks can have passed.

The page measures how long a person works on a mask (`editor/activeClock.ts`). The server cannot see the hand, but it knows
since when the photo has been leased: the seconds of its masks cannot add up to more. A mask is never refused for that; its
seconds are cut to what fits, and what was claimed is kept beside them, which marks it.
"""

from django.db.models import Sum
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.annotation.models import Assignment, Mask, MaskState, State

#: Clocks tick differently, and the page rounds.
TOLERANCE_SECONDS = 1.0


def seconds_left(*, held: Assignment, author: User) -> float:
    """How many seconds of work are still possible under a lease, by the database's clock.

    Leases that ran out, or were given back, count as one with the present one: what was drawn without a network arrives under a
    lease that was taken again. Seconds of masks that were taken back are free again: redo claims them anew.
    """
    own = Assignment.objects.filter(image=held.image_id, holder=author)
    finished = own.filter(state__in=(State.SUBMITTED, State.SKIPPED)).order_by("-created_at").first()
    since = own if finished is None else own.filter(created_at__gt=finished.created_at)
    first = since.order_by("created_at").annotate(now=Now()).first()
    assert first is not None, "the lease that is held is one of them"
    masks = Mask.objects.filter(assignment__in=since).exclude(state=MaskState.REJECTED)
    claimed = masks.aggregate(sum=Sum("seconds"))["sum"] or 0.0
    passed: float = (first.now - first.created_at).total_seconds() + TOLERANCE_SECONDS
    return max(0.0, passed - claimed)
