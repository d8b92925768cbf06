"""What this app does when something happens elsewhere."""

from backend.common.errors import DomainError
from backend.common.events import subscribe
from backend.common.models import Event
from backend.datasets.models import Dataset, Stage
from backend.training.detectors import detector_is_there, detector_run_request
from backend.training.models import TrainingRun


@subscribe("training_run.finished")
def train_the_detector_too(event: Event) -> None:
    """With each retraining, on the same masks. It reads the embeddings of what is live, whatever the gate decided."""
    run = TrainingRun.objects.select_related("dataset", "frozen_set").filter(id=event.subject_id).first()
    if run is not None:
        _request(run.dataset, run)


@subscribe("dataset.stage_changed")
def train_a_first_detector(event: Event) -> None:
    """The semi-automatic stage needs one."""
    dataset = Dataset.objects.get(id=event.subject_id)
    if dataset.stage == Stage.SEMI_AUTOMATIC and not detector_is_there(dataset):
        _request(dataset, None)


def _request(dataset: Dataset, run: TrainingRun | None) -> None:
    try:
        detector_run_request(dataset=dataset, frozen_set=run.frozen_set if run else None, by=None)
    except DomainError:
        pass  # nothing to learn from yet, or one is on its way: the next retraining brings the next chance
