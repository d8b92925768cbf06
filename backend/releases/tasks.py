"""Writing releases."""

from celery import shared_task


@shared_task
def write_release(release_id: str) -> None:
    from backend.releases.services import release_write

    release_write(release_id=release_id)


@shared_task
def sweep_releases() -> None:
    from backend.releases.services import releases_sweep

    releases_sweep()
