"""Training runs and policies over HTTP."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.autolabel.selectors import rules_of
from backend.datasets.api import person
from backend.datasets.models import Role
from backend.datasets.selectors import dataset_get
from backend.training.detectors import detector_run_cancel, detector_run_request
from backend.training.models import DetectorRun, RetrainPolicy, TrainingRun
from backend.training.selectors import (
    calibration_of,
    detector_run_get,
    gate_rule_of,
    policy_due,
    policy_of,
    training_run_get,
)
from backend.training.services import gate_rule_set, policy_set, training_run_cancel, training_run_request


class ProgressJson(serializers.Serializer):
    step = serializers.IntegerField()
    steps = serializers.IntegerField()
    loss = serializers.FloatField()
    seconds_left = serializers.FloatField()


class LossJson(serializers.Serializer):
    step = serializers.IntegerField()
    loss = serializers.FloatField()


class ValidationJson(serializers.Serializer):
    step = serializers.IntegerField()
    miou = serializers.DictField(child=serializers.FloatField(), help_text="by number of clicks")
    best = serializers.BooleanField()


class ExampleJson(serializers.Serializer):
    photo = serializers.UUIDField()
    side = serializers.IntegerField(help_text="of the square that the photo's longest side fills")
    truth = serializers.CharField(help_text="run lengths in that square")
    mask = serializers.CharField()
    iou = serializers.FloatField()


class HardwareJson(serializers.Serializer):
    device = serializers.CharField()
    name = serializers.CharField()
    gpus = serializers.IntegerField()
    cores = serializers.IntegerField()


class FigureJson(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    size = serializers.CharField(default="all")
    objects = serializers.IntegerField(default=0)
    live = serializers.FloatField()
    candidate = serializers.FloatField()
    difference = serializers.FloatField()
    low = serializers.FloatField(allow_null=True, help_text="Of the difference, 95%; null: too few photos to say.")
    high = serializers.FloatField(allow_null=True)


class EvidenceJson(serializers.Serializer):
    images = serializers.IntegerField()
    masks = serializers.IntegerField()
    groups = serializers.IntegerField(required=False, help_text="Of photos: scenes, videos, photos that stand alone.")
    groups_wanted = serializers.IntegerField(required=False)
    masks_by_model = serializers.IntegerField(
        required=False, help_text="Of the masks: a model's pixels, taken by people as they were."
    )
    masks_by_live = serializers.IntegerField(required=False, help_text="Of those: the live model's, which they favour.")
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
    validation = ValidationJson(many=True)
    examples = ExampleJson(many=True)
    hardware = serializers.SerializerMethodField()
    verdict = serializers.SerializerMethodField()

    class Meta:
        model = TrainingRun
        fields = [
            "id",
            "state",
            "recipe",
            "seed",
            "why",
            "hardware",
            "attempts",
            "created_at",
            "finished_at",
            "progress",
            "history",
            "validation",
            "examples",
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

    @extend_schema_field(HardwareJson(allow_null=True))
    def get_hardware(self, run: TrainingRun) -> dict[str, Any] | None:
        return run.hardware or None

    @extend_schema_field(VerdictOfGateJson(allow_null=True))
    def get_verdict(self, run: TrainingRun) -> dict[str, Any] | None:
        return run.verdict or None


class DetectorCalibrationJson(serializers.Serializer):
    """At the precision that the dataset's rules of review ask for."""

    threshold = serializers.FloatField(allow_null=True, help_text="null: that precision cannot be promised")
    precision = serializers.FloatField(
        allow_null=True,
        help_text="share of the masks above it that people would take as they are, on the photos of the calibration",
    )
    lower_bound = serializers.FloatField(allow_null=True, help_text="of that precision, 95%")
    recall = serializers.FloatField(
        allow_null=True, help_text="share of the objects there that such a mask is made for"
    )
    best_precision = serializers.FloatField(allow_null=True, help_text="that can be promised at any threshold")
    photos = serializers.IntegerField()
    objects = serializers.IntegerField()


class StepsJson(serializers.Serializer):
    step = serializers.IntegerField()
    steps = serializers.IntegerField()


class DetectorRunJson(serializers.ModelSerializer):
    mask_count = serializers.IntegerField(source="frozen_set.mask_count")
    image_count = serializers.IntegerField(source="frozen_set.image_count")
    progress = serializers.SerializerMethodField()
    calibration = serializers.SerializerMethodField()

    class Meta:
        model = DetectorRun
        fields = [
            "id",
            "state",
            "attempts",
            "created_at",
            "finished_at",
            "progress",
            "error",
            "mask_count",
            "image_count",
            "checkpoint",
            "detector",
            "calibration",
            "requested_by",
        ]
        read_only_fields = fields

    @extend_schema_field(StepsJson(allow_null=True))
    def get_progress(self, run: DetectorRun) -> dict[str, Any] | None:
        return run.progress or None

    @extend_schema_field(DetectorCalibrationJson(allow_null=True))
    def get_calibration(self, run: DetectorRun) -> dict[str, Any] | None:
        if run.detector is None:
            return None
        return calibration_of(run.detector, self.context["precision"])


class LogForm(serializers.Serializer):
    lines = serializers.IntegerField(
        required=False, min_value=1, max_value=10_000, help_text="only the last so many; left out: all, as a file"
    )


class TrainingRunForm(serializers.Serializer):
    recipe = serializers.CharField(required=False)
    seed = serializers.IntegerField(default=0, min_value=0)


class PolicyJson(serializers.ModelSerializer):
    due_at = serializers.SerializerMethodField()
    why = serializers.SerializerMethodField()

    class Meta:
        model = RetrainPolicy
        fields = [
            "enabled",
            "after_new_masks",
            "crontab",
            "recipe",
            "settle_minutes",
            "cooldown_minutes",
            "max_runs_per_day",
            "due_at",
            "why",
        ]
        extra_kwargs = {
            "settle_minutes": {"max_value": 24 * 60},
            "cooldown_minutes": {"max_value": 30 * 24 * 60},
            "max_runs_per_day": {"max_value": 1000},
        }

    def to_representation(self, policy: RetrainPolicy) -> dict[str, Any]:
        self._due = policy_due(policy)
        return super().to_representation(policy)

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_due_at(self, _: RetrainPolicy) -> str | None:
        return self._due.when.isoformat() if self._due.when else None

    def get_why(self, _: RetrainPolicy) -> str:
        return self._due.why


class GateRuleJson(serializers.Serializer):
    """See `training.gate.GateRule`."""

    images_wanted = serializers.IntegerField(min_value=1, max_value=1_000_000)
    masks_wanted = serializers.IntegerField(min_value=1, max_value=1_000_000)
    min_gain = serializers.FloatField(min_value=-1, max_value=1)
    confidence = serializers.FloatField(min_value=0, max_value=1)
    max_loss = serializers.FloatField(min_value=0, max_value=1)
    max_more_clicks = serializers.FloatField(min_value=0, max_value=20)
    max_more_gap = serializers.FloatField(min_value=0, max_value=1)
    max_loss_by_size = serializers.FloatField(min_value=0, max_value=1)
    size_masks_wanted = serializers.IntegerField(min_value=1, max_value=1_000_000)
    only_brushed = serializers.BooleanField(help_text="Masks that are a model's pixels alone are no truth to judge by.")


class TrainingRunsView(APIView):
    @extend_schema(operation_id="training_runs_list", responses=TrainingRunJson(many=True))
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        runs = dataset.training_runs.select_related("frozen_set").defer("log").order_by("-created_at")[:50]
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


class DetectorRunsView(APIView):
    @extend_schema(operation_id="detector_runs_list", responses=DetectorRunJson(many=True))
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        runs = dataset.detector_runs.select_related("frozen_set", "detector").defer("log").order_by("-created_at")[:20]
        context = {"precision": rules_of(dataset).precision}
        return Response(DetectorRunJson(runs, many=True, context=context).data)

    @extend_schema(operation_id="detector_runs_start", request=None, responses={201: DetectorRunJson})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        """Train a detector on all masks of now. One is trained with each retraining anyway."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        run = detector_run_request(dataset=dataset, frozen_set=None, by=person(request))
        run.refresh_from_db()
        return Response(DetectorRunJson(run).data, status=201)


class DetectorCancelView(APIView):
    @extend_schema(operation_id="detector_runs_cancel", request=None, responses={204: None})
    def post(self, request: Request, run_id: UUID) -> Response:
        run = detector_run_get(user=person(request), run_id=run_id, role=Role.ADMIN)
        detector_run_cancel(run=run, by=person(request))
        return Response(status=204)


class TrainingLogView(APIView):
    @extend_schema(
        operation_id="training_runs_log", parameters=[LogForm], responses={(200, "text/plain"): OpenApiTypes.STR}
    )
    def get(self, request: Request, run_id: UUID) -> HttpResponse:
        return _log(request, training_run_get(user=person(request), run_id=run_id, role=Role.ADMIN))


class DetectorLogView(APIView):
    @extend_schema(
        operation_id="detector_runs_log", parameters=[LogForm], responses={(200, "text/plain"): OpenApiTypes.STR}
    )
    def get(self, request: Request, run_id: UUID) -> HttpResponse:
        return _log(request, detector_run_get(user=person(request), run_id=run_id, role=Role.ADMIN))


def _log(request: Request, run: TrainingRun | DetectorRun) -> HttpResponse:
    form = LogForm(data=request.query_params)
    form.is_valid(raise_exception=True)
    lines = form.validated_data.get("lines")
    text = run.log if lines is None else "".join(run.log.splitlines(keepends=True)[-lines:])
    answer = HttpResponse(text, content_type="text/plain; charset=utf-8")
    answer["Cache-Control"] = "no-store"
    if lines is None:
        answer["Content-Disposition"] = f'attachment; filename="{run._meta.model_name}-{run.id}.log"'
    return answer


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


class GateRuleView(APIView):
    @extend_schema(operation_id="gate_rule_get", responses=GateRuleJson)
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        return Response(GateRuleJson(gate_rule_of(dataset)).data)

    @extend_schema(operation_id="gate_rule_set", request=GateRuleJson(partial=True), responses=GateRuleJson)
    def patch(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = GateRuleJson(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        return Response(GateRuleJson(gate_rule_set(dataset=dataset, by=person(request), **form.validated_data)).data)
