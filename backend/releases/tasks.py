"""Writing releases."""

from celery import shared_task


@shared_task
def write_release(release_id: str) -> None:
    from backend.common.storage import Missing
    from backend.releases.services import release_fail, release_write

    try:
        release_write(release_id=release_id)
    except Missing as error:
        release_fail(release_id=release_id, reason=f"A stored file is gone: {error}.")
    except OSError as error:
        release_fail(release_id=release_id, reason=f"It could not be written: {error.strerror or error}.")


@shared_task
def sweep_releases() -> None:
    from backend.releases.services import releases_sweep

    releases_sweep()
