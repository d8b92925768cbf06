"""Checkpoints side by side over HTTP."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.datasets.api import person
from backend.datasets.selectors import dataset_get
from backend.training.api import FigureJson
from backend.training.comparing import Side, side_by_side
from backend.training.models import TrainingRun


class CompareForm(serializers.Serializer):
    left = serializers.UUIDField(required=False, help_text="A checkpoint; left out: the one asked for first.")
    right = serializers.UUIDField(required=False)


class OfRunJson(serializers.ModelSerializer):
    """How a checkpoint came about."""

    masks = serializers.IntegerField(source="frozen_set.mask_count")
    photos = serializers.IntegerField(source="frozen_set.image_count")
    digest = serializers.CharField(source="frozen_set.digest", help_text="SHA-256 over the ids of its masks.")

    class Meta:
        model = TrainingRun
        fields = ["id", "recipe", "seed", "why", "decision", "finished_at", "frozen_set", "masks", "photos", "digest"]
        read_only_fields = fields


class SideJson(serializers.Serializer):
    id = serializers.UUIDField(source="checkpoint.id")
    name = serializers.CharField(source="checkpoint.name")
    architecture = serializers.CharField(source="checkpoint.architecture")
    created_at = serializers.DateTimeField(source="checkpoint.created_at")
    went_on_from = serializers.UUIDField(source="checkpoint.parent_id", allow_null=True)
    is_live = serializers.BooleanField()
    run = serializers.SerializerMethodField()

    @extend_schema_field(OfRunJson(allow_null=True))
    def get_run(self, side: Side) -> dict[str, Any] | None:
        return OfRunJson(side.run).data if side.run else None


class OnSplitJson(serializers.Serializer):
    photos = serializers.IntegerField(help_text="On which both were measured, with the same masks.")
    left_out = serializers.IntegerField()
    figures = FigureJson(many=True, help_text="`live` is the left one, `candidate` the right one.")


class SideBySideJson(serializers.Serializer):
    left = SideJson()
    right = SideJson()
    test = OnSplitJson()
    holdout = OnSplitJson()


class CompareView(APIView):
    @extend_schema(operation_id="checkpoints_compare", parameters=[CompareForm], responses=SideBySideJson)
    def get(self, request: Request, dataset_id: UUID) -> Response:
        """The gate's figures of two checkpoints, with 95% intervals of the differences (paired bootstrap over photos)."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        form = CompareForm(data=request.query_params)
        form.is_valid(raise_exception=True)
        chosen = form.validated_data
        return Response(SideBySideJson(side_by_side(dataset, chosen.get("left"), chosen.get("right"))).data)
