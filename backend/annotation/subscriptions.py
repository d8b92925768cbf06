"""What this app does when something happens elsewhere."""

from uuid import UUID

from backend.annotation.models import Assignment, State
from backend.annotation.services import assignments_let_go
from backend.common.events import subscribe
from backend.common.models import Event
from backend.inference.holding import holds_embeddings


@subscribe("member.removed")
def let_go_of_the_photos_of_who_left(event: Event) -> None:
    if event.dataset_id is not None:
        assignments_let_go(dataset_id=event.dataset_id, holder_id=event.subject_id)


@holds_embeddings
def open_leases(dataset_id: UUID) -> set[str]:
    """Work that is leased finishes on the checkpoint that it started with."""
    leased = Assignment.objects.filter(image__dataset_id=dataset_id, state=State.OPEN)
    return set(leased.values_list("checkpoint__encoder_hash", flat=True))
