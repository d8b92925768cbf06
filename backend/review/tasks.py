"""The clock of questions and of the audit."""

from celery import shared_task


@shared_task
def sweep_questions() -> None:
    from backend.review.services import questions_expire

    questions_expire()


@shared_task
def sweep_audits() -> None:
    from backend.review.audit import audits_sample

    audits_sample()
