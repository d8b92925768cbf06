"""What this app does when something happens elsewhere."""

from backend.checkpoints.services import deployment_ensure
from backend.common.events import subscribe
from backend.common.models import Event
from backend.datasets.models import Dataset


@subscribe("dataset.created")
def give_it_the_default_model(event: Event) -> None:
    deployment_ensure(dataset=Dataset.objects.get(id=event.subject_id))
