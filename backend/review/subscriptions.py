"""What this app does when something happens elsewhere."""

from backend.common.events import subscribe
from backend.common.models import Event
from backend.datasets.models import Dataset
from backend.review.audit import audit_conclude, audit_refit


@subscribe("assignment.submitted")
def measure_what_was_audited(event: Event) -> None:
    dataset = Dataset.objects.filter(id=event.dataset_id).first() if event.dataset_id else None
    if audit_conclude(assignment_id=event.subject_id) and dataset is not None:
        audit_refit(dataset=dataset)
