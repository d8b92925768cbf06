"""The clock of the leases."""

from celery import shared_task


@shared_task
def expire_assignments() -> None:
    from backend.annotation.services import assignments_expire

    assignments_expire()
