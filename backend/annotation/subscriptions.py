"""What this app does when something happens elsewhere."""

from backend.annotation.services import assignments_let_go
from backend.common.events import subscribe
from backend.common.models import Event


@subscribe("member.removed")
def let_go_of_the_photos_of_who_left(event: Event) -> None:
    if event.dataset_id is not None:
        assignments_let_go(dataset_id=event.dataset_id, holder_id=event.subject_id)
