"""What this app does when something happens elsewhere."""

from backend.autolabel.models import Proposal
from backend.common.events import subscribe
from backend.common.models import Event
from backend.datasets.models import Dataset
from backend.review.audit import audit_conclude, audit_refit
from backend.review.services import proposals_settle


@subscribe("assignment.submitted")
def measure_what_was_audited(event: Event) -> None:
    dataset = Dataset.objects.filter(id=event.dataset_id).first() if event.dataset_id else None
    if audit_conclude(assignment_id=event.subject_id) and dataset is not None:
        audit_refit(dataset=dataset)


@subscribe("assignment.submitted", "assignment.released", "assignment.skipped", "assignment.expired")
def settle_what_was_held_back(event: Event) -> None:
    proposals_settle(Proposal.objects.filter(image=event.data["image"]))


@subscribe("member.removed")
def settle_what_waited_for_who_left(event: Event) -> None:
    proposals_settle(Proposal.objects.filter(dataset=event.dataset_id))
