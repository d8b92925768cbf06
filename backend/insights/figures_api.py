"""The dashboard's figures over HTTP: as JSON all together, and each table as CSV."""

import csv
import io
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.annotation.models import Origin
from backend.datasets.api import person
from backend.datasets.models import Split, Stage
from backend.datasets.selectors import dataset_get
from backend.insights.periods import By
from backend.insights.selectors import figures_of


class InTimeZone(serializers.Serializer):
    time_zone = serializers.CharField(default="UTC", max_length=64, help_text="Where the person's days begin.")

    def validate_time_zone(self, name: str) -> ZoneInfo:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise serializers.ValidationError(f"{name} is no time zone.") from None


class FiguresForm(InTimeZone):
    by = serializers.ChoiceField(choices=By.choices, default=By.ROUND)


class RoundJson(serializers.Serializer):
    """A round ends where another model goes live, or the stage changes."""

    number = serializers.IntegerField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    stage = serializers.ChoiceField(choices=Stage.choices)
    checkpoint = serializers.UUIDField(allow_null=True)
    checkpoint_name = serializers.CharField()


def _number(help_text: str = "") -> serializers.FloatField:
    return serializers.FloatField(allow_null=True, help_text=help_text)


class PointJson(serializers.Serializer):
    """What was done in a round, or on a day. Seconds and clicks are of `masks`, and of what those replaced; low and
    high are quartiles."""

    round = serializers.IntegerField(allow_null=True)
    day = serializers.DateField(allow_null=True)
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    masks = serializers.IntegerField(help_text="Drawn by people, and still counting.")
    seconds_mean = _number()
    seconds_median = _number()
    seconds_low = _number()
    seconds_high = _number()
    clicks_mean = _number()
    clicks_median = _number()
    clicks_low = _number()
    clicks_high = _number()
    photos = serializers.IntegerField(help_text="First finished by people then.")
    masks_per_photo = _number("Masks that count on those photos now.")
    masks_per_photo_by_people = _number()
    automatic_photos = serializers.IntegerField(help_text="Labelled by automatic runs then.")
    automatic_masks_per_photo = _number()
    photos_with_automatic_masks = serializers.IntegerField(help_text="Of those made then, some count on these now.")


class QualityJson(serializers.Serializer):
    """A model while it was live, on a split: as its promotion found it, else as the next one did, else as it was last measured.

    Low and high: 95%, bootstrap over photos. Before: what it was compared with when it was promoted, on the same photos; gain:
    95% of the difference. Figures of different rows may be of different photos.
    """

    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    checkpoint = serializers.UUIDField()
    checkpoint_name = serializers.CharField()
    split = serializers.ChoiceField(choices=Split.choices)
    photos = serializers.IntegerField()
    objects = serializers.IntegerField()
    miou_1 = _number("Mean IoU after 1 click.")
    miou_1_low = _number()
    miou_1_high = _number()
    miou_1_before = _number()
    miou_1_gain_low = _number()
    miou_1_gain_high = _number()
    miou_3 = _number()
    miou_3_low = _number()
    miou_3_high = _number()
    miou_3_before = _number()
    miou_3_gain_low = _number()
    miou_3_gain_high = _number()
    miou_5 = _number()
    miou_5_low = _number()
    miou_5_high = _number()
    miou_5_before = _number()
    miou_5_gain_low = _number()
    miou_5_gain_high = _number()
    noc90 = _number("Mean clicks to 90% IoU.")
    noc90_low = _number()
    noc90_high = _number()
    noc90_before = _number()
    noc90_gain_low = _number()
    noc90_gain_high = _number()


MARKS = ("promoted", "refused", "insufficient_evidence", "failed", "cancelled", "deployed", "stage")


class MarkJson(serializers.Serializer):
    """A retraining that ended, another change of the live model, or a change of stage."""

    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(choices=MARKS)
    checkpoint = serializers.UUIDField(allow_null=True)
    checkpoint_name = serializers.CharField()
    before = serializers.UUIDField(allow_null=True, help_text="The checkpoint that it was compared with, or followed.")
    run = serializers.UUIDField(allow_null=True)
    stage = serializers.CharField(help_text="The new one.")
    reason = serializers.CharField()


class AcceptanceJson(serializers.Serializer):
    """What people said of proposals during a stage; the rate is of those that they decided, with a 95% interval."""

    stage = serializers.ChoiceField(choices=Stage.choices)
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    accept = serializers.IntegerField()
    fix = serializers.IntegerField()
    not_an_object = serializers.IntegerField()
    unsure = serializers.IntegerField()
    rate = _number()
    rate_low = _number()
    rate_high = _number()
    seconds_median = _number("Of a verdict.")


class OriginJson(serializers.Serializer):
    origin = serializers.ChoiceField(choices=Origin.choices)
    masks = serializers.IntegerField()
    share = serializers.FloatField()


class PersonJson(serializers.Serializer):
    """What a person did in the dataset."""

    user = serializers.UUIDField()
    username = serializers.CharField()
    masks = serializers.IntegerField(help_text="Drawn, and still counting.")
    seconds = serializers.FloatField(help_text="Of those masks and what they replaced, together.")
    seconds_median = _number()
    clicks_mean = _number()
    photos = serializers.IntegerField(help_text="Submitted.")
    verdicts = serializers.IntegerField()


class FiguresJson(serializers.Serializer):
    by = serializers.ChoiceField(choices=By.choices)
    time_zone = serializers.CharField()
    rounds = RoundJson(many=True)
    points = PointJson(many=True)
    quality = QualityJson(many=True)
    marks = MarkJson(many=True)
    acceptance = AcceptanceJson(many=True)
    origins = OriginJson(many=True)
    people = PersonJson(many=True, help_text="Everybody for admins; for others themselves.")


TABLES = tuple(
    name for name, field in FiguresJson().get_fields().items() if isinstance(field, serializers.ListSerializer)
)


def _figures(request: Request, dataset_id: UUID) -> Any:
    dataset = dataset_get(user=person(request), dataset_id=dataset_id)
    form = FiguresForm(data=request.query_params)
    form.is_valid(raise_exception=True)
    chosen = form.validated_data
    return FiguresJson(figures_of(dataset, asker=person(request), by=chosen["by"], zone=chosen["time_zone"])).data


class FiguresView(APIView):
    @extend_schema(operation_id="figures_get", parameters=[FiguresForm], responses=FiguresJson)
    def get(self, request: Request, dataset_id: UUID) -> Response:
        """The four curves, and what stands beside them."""
        return Response(_figures(request, dataset_id))


class FiguresTableView(APIView):
    @extend_schema(
        operation_id="figures_table",
        parameters=[FiguresForm, OpenApiParameter("table", str, OpenApiParameter.PATH, enum=TABLES)],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, dataset_id: UUID, table: str) -> HttpResponse:
        """One of the lists of `figures_get`, row for row."""
        figures = _figures(request, dataset_id)
        if table not in TABLES:
            raise Http404
        reply = HttpResponse(_as_csv(table, figures[table]), content_type="text/csv; charset=utf-8")
        reply["Content-Disposition"] = f'attachment; filename="{table}.csv"'
        return reply


def _as_csv(table: str, rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    field = FiguresJson().get_fields()[table]
    assert isinstance(field, serializers.ListSerializer)
    names = list(field.child.get_fields())  # type: ignore[union-attr]
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
