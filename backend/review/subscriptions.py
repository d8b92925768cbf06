"""What this app does when something happens elsewhere."""

from backend.autolabel.models import Proposal
from backend.common.events import subscribe
from backend.common.models import Event
from backend.datasets.models import Dataset
from backend.review.audit import audit_conclude, audit_follow_verdict, audits_sample, refits_due
from backend.review.services import proposals_settle
from backend.review.tasks import refit_thresholds


@subscribe("assignment.submitted", "assignment.released", "assignment.skipped", "assignment.expired")
def measure_what_was_audited(event: Event) -> None:
    if audit_conclude(assignment_id=event.subject_id):
        _refit_when_due(event)


@subscribe("verdict.given")
def measure_what_a_reviewer_decided(event: Event) -> None:
    if audit_follow_verdict(mask_id=event.subject_id, by_id=event.by_id):
        _refit_when_due(event)


def _refit_when_due(event: Event) -> None:
    dataset = Dataset.objects.filter(id=event.dataset_id).first() if event.dataset_id else None
    if dataset is not None and refits_due(dataset):
        refit_thresholds.delay_on_commit(
            str(dataset.id)
        )  # seconds of work: not here, where people are answered quickly


@subscribe("assignment.submitted", "assignment.released", "assignment.skipped", "assignment.expired")
def settle_what_was_held_back(event: Event) -> None:
    proposals_settle(Proposal.objects.filter(image=event.data["image"]))


@subscribe("member.removed", "member.jobs_set")
def settle_what_waited_for_who_verifies_no_more(event: Event) -> None:
    proposals_settle(Proposal.objects.filter(dataset=event.dataset_id))


@subscribe("autolabel_run.finished")
def draw_the_sample_of_the_audit(event: Event) -> None:
    """Who waits for the audit waits no minute for the clock."""
    if event.dataset_id:
        audits_sample(dataset_id=event.dataset_id)
