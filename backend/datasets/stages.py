"""When a dataset was in which stage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.common.models import Event
from backend.datasets.models import Dataset


@dataclass(frozen=True, slots=True)
class Spell:
    """A stage, from then until then; None: still."""

    stage: str
    since: datetime
    until: datetime | None


def stage_changes(dataset: Dataset) -> list[Event]:
    changes = Event.objects.filter(dataset_id=dataset.id, kind="dataset.stage_changed")
    return list(changes.order_by("created_at", "id"))


def spells_of(dataset: Dataset, changes: Sequence[Event]) -> list[Spell]:
    """The dataset's stages, one after the other, the first of them from its beginning."""
    stages = [changes[0].data["before"] if changes else dataset.stage, *(change.data["stage"] for change in changes)]
    begins = [dataset.created_at, *(change.created_at for change in changes)]
    return [Spell(stage, since, until) for stage, since, until in zip(stages, begins, [*begins[1:], None], strict=True)]
