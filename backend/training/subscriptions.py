"""What this app does when something happens elsewhere."""

from uuid import UUID

from backend.autolabel.models import Purpose
from backend.checkpoints.models import BY_THE_GATE
from backend.checkpoints.selectors import live_checkpoint
from backend.common.errors import DomainError
from backend.common.events import subscribe
from backend.common.models import Event
from backend.datasets.models import Dataset, Stage
from backend.inference.holding import holds_embeddings
from backend.training.calibrating import thresholds_choose
from backend.training.detectors import detector_is_there, detector_run_request
from backend.training.models import UNFINISHED, UNFINISHED_DETECTORS, DetectorRun, RunState, TrainingRun


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


@subscribe("deployment.changed")
def train_a_detector_for_another_model(event: Event) -> None:
    """A detector reads one encoder's embeddings and knows one decoder's masks: another model would be without."""
    if event.data["reason"] != BY_THE_GATE:  # the end of that run has one trained, on the run's masks
        _request_for_another_model(event.dataset_id)


@subscribe("detector.ready", "detector_run.failed", "detector_run.cancelled")
def look_whether_another_is_wanted(event: Event) -> None:
    """While it was trained no second one could be asked for."""
    finished = TrainingRun.objects.filter(dataset=event.dataset_id, state=RunState.DONE, finished_at__isnull=False)
    last = finished.select_related("dataset", "frozen_set").order_by("-finished_at").first()
    if last and not DetectorRun.objects.filter(dataset=last.dataset, created_at__gte=last.finished_at).exists():
        _request(last.dataset, last)  # also where the model stays: there are more masks
    else:
        _request_for_another_model(event.dataset_id)


@subscribe(
    "deployment.changed", "training_run.finished", "detector.ready", "detector_run.failed", "detector_run.cancelled"
)
def choose_thresholds_for_the_live_checkpoint(event: Event) -> None:
    """After those above: a detector that this very event has asked for is on its way."""
    if event.kind == "deployment.changed" and event.data["reason"] == BY_THE_GATE:
        return  # the end of that run asks for a detector
    _choose_thresholds(event)


@subscribe("autolabel_run.finished")
def choose_thresholds_once_more(event: Event) -> None:
    """A detector may have become ready during a calibration."""
    if event.data["purpose"] == Purpose.CALIBRATE:
        _choose_thresholds(event)


def _choose_thresholds(event: Event) -> None:
    dataset = Dataset.objects.filter(id=event.dataset_id).first() if event.dataset_id else None
    if dataset is not None:
        thresholds_choose(dataset=dataset)


def _request_for_another_model(dataset_id: UUID | None) -> None:
    """Where detectors were trained, and none for what is live now. One that failed there would fail again."""
    dataset = dataset_id and Dataset.objects.filter(id=dataset_id).first()
    if not dataset or detector_is_there(dataset):
        return
    runs, live = DetectorRun.objects.filter(dataset=dataset), live_checkpoint(dataset.id)
    if live is None or not runs.exists():
        return
    of_live = runs.filter(checkpoint__encoder_hash=live.encoder_hash, checkpoint__decoder_hash=live.decoder_hash)
    if not of_live.exists():
        _request(dataset, None)


def _request(dataset: Dataset, run: TrainingRun | None) -> None:
    try:
        detector_run_request(dataset=dataset, frozen_set=run.frozen_set if run else None, by=None)
    except DomainError:
        pass  # nothing to learn from yet, or one is on its way: its end is the next chance


@holds_embeddings
def runs_on_their_way(dataset_id: UUID) -> set[str]:
    runs = TrainingRun.objects.filter(dataset_id=dataset_id, state__in=UNFINISHED)
    detectors = DetectorRun.objects.filter(dataset_id=dataset_id, state__in=UNFINISHED_DETECTORS)
    return {
        *runs.values_list("base__encoder_hash", flat=True),
        *runs.filter(candidate__isnull=False).values_list("candidate__encoder_hash", flat=True),
        *detectors.values_list("checkpoint__encoder_hash", flat=True),
    }
