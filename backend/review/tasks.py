"""The clock of questions and of the audit, and what that asks for."""

from celery import shared_task


@shared_task
def sweep_questions() -> None:
    from backend.review.services import questions_expire

    questions_expire()


@shared_task
def sweep_audits() -> None:
    from backend.review.audit import audits_sample, refits_sweep

    audits_sample()
    refits_sweep()


@shared_task
def refit_thresholds(dataset_id: str) -> None:
    from backend.datasets.models import Dataset
    from backend.review.audit import audit_refit

    dataset = Dataset.objects.filter(id=dataset_id).first()
    if dataset is not None:
        audit_refit(dataset=dataset)
