"""What this app does when something happens elsewhere."""

from uuid import UUID

from backend.autolabel.calibration import calibrations_give_up
from backend.autolabel.models import UNFINISHED, AutolabelRun, JobState, ProposalJob, Purpose, RunState
from backend.autolabel.proposals import proposals_called_in_vain, proposals_request
from backend.autolabel.services import autolabel_jobs_called_in_vain
from backend.autolabel.tasks import fit_thresholds
from backend.common.events import subscribe
from backend.common.models import Event
from backend.datasets.models import Dataset
from backend.inference.holding import holds_embeddings


@subscribe("dataset.stage_changed", "detector.ready", "deployment.changed", "assignment.submitted", "verdict.given")
def keep_proposals_ahead(event: Event) -> None:
    """A photo that is finished, or whose proposals are judged, makes room for the next one."""
    dataset = Dataset.objects.filter(id=event.dataset_id).first() if event.dataset_id else None
    if dataset is not None:
        proposals_request(dataset=dataset)


@subscribe("queue.lost")
def ask_again(event: Event) -> None:
    autolabel_jobs_called_in_vain()
    proposals_called_in_vain()


@subscribe("deployment.changed")
def give_up_calibrations_of_other_models(event: Event) -> None:
    if event.dataset_id:
        calibrations_give_up(dataset_id=event.dataset_id)


@subscribe("autolabel_run.finished")
def fit_thresholds_of_the_calibration(event: Event) -> None:
    """In a batch worker: events are delivered by those who must answer people quickly."""
    if AutolabelRun.objects.filter(id=event.subject_id, purpose=Purpose.CALIBRATE, state=RunState.DONE).exists():
        fit_thresholds.delay_on_commit(str(event.subject_id))


@holds_embeddings
def runs_on_their_way(dataset_id: UUID) -> set[str]:
    runs = AutolabelRun.objects.filter(dataset_id=dataset_id, state__in=UNFINISHED)
    proposing = ProposalJob.objects.filter(image__dataset_id=dataset_id, state=JobState.WAITING)
    return {
        *runs.values_list("checkpoint__encoder_hash", flat=True),
        *proposing.values_list("checkpoint__encoder_hash", flat=True).distinct(),
    }
