"""Figures over HTTP."""

from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.datasets.api import person
from backend.datasets.selectors import dataset_get
from backend.insights.selectors import figures_of
from backend.insights.work import work_of


class QualityJson(serializers.Serializer):
    since = serializers.DateTimeField()
    checkpoint = serializers.UUIDField()
    name = serializers.CharField()
    reason = serializers.CharField()
    miou = serializers.DictField(child=serializers.FloatField(), allow_null=True)


class EffortJson(serializers.Serializer):
    day = serializers.DateTimeField()
    seconds = serializers.FloatField()
    clicks = serializers.FloatField()
    masks = serializers.IntegerField()


class FiguresJson(serializers.Serializer):
    quality = QualityJson(many=True)
    effort = EffortJson(many=True)
    masks_by_origin = serializers.DictField(child=serializers.IntegerField())


class WorkForm(serializers.Serializer):
    days = serializers.IntegerField(min_value=1, max_value=366, default=30)
    time_zone = serializers.CharField(default="UTC", max_length=64, help_text="Where the person's days begin.")

    def validate_time_zone(self, name: str) -> ZoneInfo:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise serializers.ValidationError(f"{name} is no time zone.") from None


class WorkJson(serializers.Serializer):
    masks = serializers.IntegerField()
    photos = serializers.IntegerField()
    seconds_per_mask = serializers.FloatField(allow_null=True)
    clicks_per_mask = serializers.FloatField(allow_null=True)


class DayJson(WorkJson):
    day = serializers.DateField()


class OpenPhotoJson(serializers.Serializer):
    dataset = serializers.UUIDField()
    dataset_name = serializers.CharField()
    image = serializers.UUIDField()
    file_name = serializers.CharField()
    thumbnail_url = serializers.CharField()
    masks = serializers.IntegerField()
    since = serializers.DateTimeField()


class MyWorkJson(serializers.Serializer):
    today = DayJson()
    days = DayJson(many=True, help_text="Newest first; days without work are left out.")
    open = OpenPhotoJson(many=True)


class MyWorkView(APIView):
    @extend_schema(operation_id="my_work", parameters=[WorkForm], responses=MyWorkJson)
    def get(self, request: Request) -> Response:
        """What the person who asks has done; nobody else's."""
        form = WorkForm(data=request.query_params)
        form.is_valid(raise_exception=True)
        own = work_of(person(request), days=form.validated_data["days"], zone=form.validated_data["time_zone"])
        return Response(MyWorkJson(own).data)


class FiguresView(APIView):
    @extend_schema(operation_id="figures_get", responses=FiguresJson)
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        return Response(FiguresJson(figures_of(dataset)).data)
