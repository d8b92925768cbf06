"""What this app does when something happens elsewhere."""

from backend.autolabel.proposals import proposals_request
from backend.common.events import subscribe
from backend.common.models import Event
from backend.datasets.models import Dataset


@subscribe("dataset.stage_changed", "detector.ready", "deployment.changed", "assignment.submitted")
def keep_proposals_ahead(event: Event) -> None:
    """A photo that is finished makes room for the next one."""
    dataset = Dataset.objects.filter(id=event.dataset_id).first() if event.dataset_id else None
    if dataset is not None:
        proposals_request(dataset=dataset)
