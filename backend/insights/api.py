"""A person's own work over HTTP."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.datasets.api import person
from backend.insights.figures_api import InTimeZone
from backend.insights.work import work_of


class WorkForm(InTimeZone):
    days = serializers.IntegerField(min_value=1, max_value=366, default=30)


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
