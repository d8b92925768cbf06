"""Verdicts on masks."""

from django.db import transaction

from backend.accounts.models import User
from backend.annotation.models import Mask, MaskState
from backend.common.events import event_record
from backend.review.models import Answer, Verdict


@transaction.atomic
def verdict_give(*, mask: Mask, by: User, answer: Answer, seconds: float | None) -> Verdict:
    """Add a verdict. "Not an object" takes the mask out of the dataset; a later "accept" brings it back."""
    Mask.objects.select_for_update().get(id=mask.id)
    verdict = Verdict.objects.create(mask=mask, by=by, answer=answer, seconds=seconds)
    if answer == Answer.NOT_AN_OBJECT:
        Mask.objects.filter(id=mask.id, state=MaskState.ACTIVE).update(state=MaskState.REJECTED)
    elif answer == Answer.ACCEPT:
        Mask.objects.filter(id=mask.id, state=MaskState.REJECTED).update(state=MaskState.ACTIVE)
    event_record("verdict.given", subject=mask.id, dataset=mask.image.dataset_id, by=by, answer=str(answer))
    verdict.refresh_from_db()
    return verdict
