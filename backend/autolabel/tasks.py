"""Automatic labelling and proposals, photo by photo."""

from celery import shared_task


@shared_task
def label_image(job_id: str) -> None:
    from backend.autolabel.services import autolabel_job_run

    autolabel_job_run(job_id=job_id)


@shared_task
def sweep_autolabel_jobs() -> None:
    from backend.autolabel.calibration import calibrations_sweep
    from backend.autolabel.services import autolabel_jobs_sweep

    autolabel_jobs_sweep()
    calibrations_sweep()


@shared_task
def fit_thresholds(run_id: str) -> None:
    from backend.autolabel.calibration import calibration_fit

    calibration_fit(run_id=run_id)


@shared_task
def propose_masks(job_id: str) -> None:
    from backend.autolabel.proposals import proposal_job_run

    proposal_job_run(job_id=job_id)


@shared_task
def sweep_proposals() -> None:
    from backend.autolabel.proposals import proposals_sweep

    proposals_sweep()
