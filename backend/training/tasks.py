"""Training, and the clock that starts it."""

from celery import shared_task


@shared_task
def work_on_training_run(run_id: str) -> None:
    from backend.training.services import training_run_work

    training_run_work(run_id=run_id)


@shared_task
def sweep_training_runs() -> None:
    from backend.training.services import training_runs_sweep

    training_runs_sweep()


@shared_task
def work_on_detector_run(run_id: str) -> None:
    from backend.training.detectors import detector_run_work

    detector_run_work(run_id=run_id)


@shared_task
def sweep_detector_runs() -> None:
    from backend.training.calibrating import thresholds_sweep
    from backend.training.detectors import detector_runs_sweep

    detector_runs_sweep()
    thresholds_sweep()


@shared_task
def run_due_policies() -> None:
    from backend.training.services import policies_run

    policies_run()
