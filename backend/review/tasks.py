"""The clock of the audit."""

from celery import shared_task


@shared_task
def sweep_audits() -> None:
    from backend.review.audit import audits_sample

    audits_sample()
