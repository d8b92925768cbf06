"""Whether the seconds that a page claims for its masks can have passed.

The page measures how long a person works on a mask (`editor/activeClock.ts`). The server cannot see the hand, but it knows
since when the photo has been leased: the seconds of its masks cannot add up to more. A mask is never refused for that; its
seconds are cut to what fits, and what was claimed is kept beside them, which marks it.
"""

from django.db.models import F, Max, Min, Q, Subquery, Sum
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.annotation.models import Assignment, MaskState, State

#: Clocks tick differently, and the page rounds.
TOLERANCE_SECONDS = 1.0


def seconds_left(*, held: Assignment, author: User) -> float:
    """How many seconds of work are still possible under a lease, by the database's clock.

    Leases that ran out, or were given back, count as one with the present one: what was drawn without a network arrives under a
    lease that was taken again. Seconds of masks that were taken back are free again: redo claims them anew.
    """
    own = Assignment.objects.filter(image=held.image_id, holder=author)
    finished = own.filter(state__in=(State.SUBMITTED, State.SKIPPED)).order_by("-created_at").values("created_at")[:1]
    since = own.alias(finished=Subquery(finished)).filter(Q(finished=None) | Q(created_at__gt=F("finished")))
    counts = ~Q(masks__state=MaskState.REJECTED)
    found = since.aggregate(first=Min("created_at"), now=Max(Now()), claimed=Sum("masks__seconds", filter=counts))
    assert found["first"] is not None, "the lease that is held is one of them"
    passed: float = (found["now"] - found["first"]).total_seconds() + TOLERANCE_SECONDS
    return max(0.0, passed - (found["claimed"] or 0.0))
