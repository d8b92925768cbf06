"""Photos fetched from S3."""

from celery import shared_task


@shared_task
def import_from_s3(import_id: str) -> None:
    from backend.datasets.s3_imports import s3_import_work

    s3_import_work(import_id=import_id)


@shared_task
def sweep_s3_imports() -> None:
    from backend.datasets.s3_imports import s3_imports_sweep

    s3_imports_sweep()
