"""Figures over HTTP."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.datasets.api import person
from backend.datasets.selectors import dataset_get
from backend.insights.selectors import figures_of


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


class FiguresView(APIView):
    @extend_schema(operation_id="figures_get", responses=FiguresJson)
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        return Response(FiguresJson(figures_of(dataset)).data)
