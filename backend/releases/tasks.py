"""Writing releases."""

import logging

from celery import shared_task

logger = logging.getLogger(__name__)


@shared_task
def write_release(release_id: str) -> None:
    from backend.common.storage import Missing
    from backend.common.waking import DATABASE_AWAY
    from backend.releases.services import release_fail, release_write

    try:
        release_write(release_id=release_id)
    except Missing as error:
        release_fail(release_id=release_id, reason=f"A stored file is gone: {error}.")
    except OSError as error:
        release_fail(release_id=release_id, reason=f"It could not be written: {error.strerror or error}.")
    except DATABASE_AWAY:
        raise
    except Exception as error:
        logger.exception("release %s", release_id)
        release_fail(release_id=release_id, reason=f"It could not be written: {error or type(error).__name__}.")


@shared_task
def sweep_releases() -> None:
    from backend.releases.services import releases_sweep

    releases_sweep()
