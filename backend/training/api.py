"""Training runs and policies over HTTP."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.datasets.api import person
from backend.datasets.models import Role
from backend.datasets.selectors import dataset_get
from backend.training.models import RetrainPolicy, TrainingRun
from backend.training.selectors import policy_due, policy_of, training_run_get
from backend.training.services import policy_set, training_run_cancel, training_run_request


class ProgressJson(serializers.Serializer):
    step = serializers.IntegerField()
    steps = serializers.IntegerField()
    loss = serializers.FloatField()
    seconds_left = serializers.FloatField()


class LossJson(serializers.Serializer):
    step = serializers.IntegerField()
    loss = serializers.FloatField()


class FigureJson(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    live = serializers.FloatField()
    candidate = serializers.FloatField()
    difference = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class EvidenceJson(serializers.Serializer):
    images = serializers.IntegerField()
    masks = serializers.IntegerField()
    images_wanted = serializers.IntegerField()
    masks_wanted = serializers.IntegerField()


class VerdictOfGateJson(serializers.Serializer):
    reason = serializers.CharField()
    chance_better = serializers.FloatField(allow_null=True)
    figures = FigureJson(many=True)
    evidence = EvidenceJson()
    holdout = FigureJson(many=True)


class TrainingRunJson(serializers.ModelSerializer):
    mask_count = serializers.IntegerField(source="frozen_set.mask_count")
    image_count = serializers.IntegerField(source="frozen_set.image_count")
    progress = serializers.SerializerMethodField()
    history = LossJson(many=True)
    verdict = serializers.SerializerMethodField()

    class Meta:
        model = TrainingRun
        fields = [
            "id",
            "state",
            "recipe",
            "created_at",
            "finished_at",
            "progress",
            "history",
            "decision",
            "verdict",
            "error",
            "mask_count",
            "image_count",
            "base",
            "candidate",
            "requested_by",
        ]
        read_only_fields = fields

    @extend_schema_field(ProgressJson(allow_null=True))
    def get_progress(self, run: TrainingRun) -> dict[str, Any] | None:
        return run.progress or None

    @extend_schema_field(VerdictOfGateJson(allow_null=True))
    def get_verdict(self, run: TrainingRun) -> dict[str, Any] | None:
        return run.verdict or None


class TrainingRunForm(serializers.Serializer):
    recipe = serializers.CharField(required=False)
    seed = serializers.IntegerField(default=0, min_value=0)


class PolicyJson(serializers.ModelSerializer):
    due_at = serializers.SerializerMethodField()
    why = serializers.SerializerMethodField()

    class Meta:
        model = RetrainPolicy
        fields = ["enabled", "after_new_masks", "crontab", "recipe", "due_at", "why"]

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_due_at(self, policy: RetrainPolicy) -> str | None:
        when = policy_due(policy).when
        return when.isoformat() if when else None

    def get_why(self, policy: RetrainPolicy) -> str:
        return policy_due(policy).why


class TrainingRunsView(APIView):
    @extend_schema(operation_id="training_runs_list", responses=TrainingRunJson(many=True))
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        runs = dataset.training_runs.select_related("frozen_set").order_by("-created_at")[:50]
        return Response(TrainingRunJson(runs, many=True).data)

    @extend_schema(operation_id="training_runs_start", request=TrainingRunForm, responses={201: TrainingRunJson})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = TrainingRunForm(data=request.data)
        form.is_valid(raise_exception=True)
        run = training_run_request(dataset=dataset, by=person(request), **form.validated_data)
        return Response(TrainingRunJson(run).data, status=201)


class TrainingRunView(APIView):
    @extend_schema(operation_id="training_runs_get", responses=TrainingRunJson)
    def get(self, request: Request, run_id: UUID) -> Response:
        return Response(TrainingRunJson(training_run_get(user=person(request), run_id=run_id)).data)


class TrainingCancelView(APIView):
    @extend_schema(operation_id="training_runs_cancel", request=None, responses={204: None})
    def post(self, request: Request, run_id: UUID) -> Response:
        run = training_run_get(user=person(request), run_id=run_id, role=Role.ADMIN)
        training_run_cancel(run=run, by=person(request))
        return Response(status=204)


class PolicyView(APIView):
    @extend_schema(operation_id="retrain_policy_get", responses=PolicyJson)
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        return Response(PolicyJson(policy_of(dataset)).data)

    @extend_schema(operation_id="retrain_policy_set", request=PolicyJson, responses=PolicyJson)
    def patch(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = PolicyJson(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        return Response(PolicyJson(policy_set(dataset=dataset, by=person(request), **form.validated_data)).data)
