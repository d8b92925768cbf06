"""The loop's life in pieces: by day, or by round. A round ends where another model goes live, or the stage changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.db.models import DateTimeField, Expression, Func, IntegerField, TextChoices, Value
from django.db.models.functions import Cast, TruncDate

from backend.checkpoints.models import Deployment, DeploymentRole
from backend.datasets.models import Dataset
from backend.datasets.stages import Spell


class By(TextChoices):
    ROUND = "round"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Round:
    """
    Attributes:
        number: 1, 2, 3.
        checkpoint: the one that was live; None: there was none yet.
    """

    number: int
    since: datetime
    until: datetime | None
    stage: str
    checkpoint: UUID | None
    name: str


def live_deployments(dataset: Dataset) -> list[Deployment]:
    """Of the one role that there is one of at any moment, oldest first."""
    deployments = Deployment.objects.filter(dataset=dataset, role=DeploymentRole.LIVE)
    return list(deployments.select_related("checkpoint").order_by("since"))


def rounds_of(dataset: Dataset, deployments: Sequence[Deployment], spells: Sequence[Spell]) -> list[Round]:
    """The first begins with the dataset; its model is the first there was."""
    ends = {deployment.since for deployment in deployments[1:]} | {spell.since for spell in spells[1:]}
    begins = [dataset.created_at, *sorted(ends)]
    rounds = []
    for number, (since, until) in enumerate(zip(begins, [*begins[1:], None], strict=True), start=1):
        served = [d for d in deployments if d.since <= since] or deployments[:1]
        stage = [spell.stage for spell in spells if spell.since <= since][-1]
        live = served[-1].checkpoint if served else None
        own, name = (live.id, live.name) if live else (None, "")
        rounds.append(Round(number, since, until, stage, own, name))
    return rounds


def which_of(begins: Sequence[datetime], field: str) -> Expression:
    """The index of the piece in which a moment lies, found by the database.

    Args:
        begins: of all pieces, in order. What was before the first belongs to it.
    """
    moments = ArrayField(DateTimeField())
    ends = Cast(Value(list(begins[1:]), output_field=moments), moments)
    return Func(field, ends, function="width_bucket", output_field=IntegerField())


def day_of(field: str, zone: ZoneInfo) -> Expression:
    return TruncDate(field, tzinfo=zone)
