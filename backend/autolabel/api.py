"""Automatic runs over HTTP."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.autolabel.models import AutolabelRun
from backend.autolabel.selectors import autolabel_run_get, progress_of
from backend.autolabel.services import autolabel_run_cancel, autolabel_run_retry, autolabel_run_start
from backend.datasets.api import person
from backend.datasets.models import Role
from backend.datasets.selectors import dataset_get


class JobCountsJson(serializers.Serializer):
    waiting = serializers.IntegerField()
    done = serializers.IntegerField()
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField()


class FailureJson(serializers.Serializer):
    image = serializers.UUIDField()
    file_name = serializers.CharField()
    error = serializers.CharField()


class AutolabelRunJson(serializers.ModelSerializer):
    counts = JobCountsJson()
    masks = serializers.IntegerField()
    failures = FailureJson(many=True)
    seconds_left = serializers.FloatField(allow_null=True)

    class Meta:
        model = AutolabelRun
        fields = [
            "id",
            "state",
            "checkpoint",
            "settings",
            "created_at",
            "finished_at",
            "counts",
            "masks",
            "failures",
            "seconds_left",
        ]
        read_only_fields = fields

    def to_representation(self, run: AutolabelRun) -> dict[str, Any]:
        for name, value in progress_of(run).items():
            setattr(run, name, value)
        return super().to_representation(run)


class AutolabelForm(serializers.Serializer):
    settings = serializers.DictField(default=dict)


class AutolabelRunsView(APIView):
    @extend_schema(operation_id="autolabel_runs_list", responses=AutolabelRunJson(many=True))
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        return Response(AutolabelRunJson(dataset.autolabel_runs.order_by("-created_at")[:20], many=True).data)

    @extend_schema(operation_id="autolabel_runs_start", request=AutolabelForm, responses={201: AutolabelRunJson})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = AutolabelForm(data=request.data)
        form.is_valid(raise_exception=True)
        run = autolabel_run_start(dataset=dataset, by=person(request), settings=form.validated_data["settings"])
        run.refresh_from_db()
        return Response(AutolabelRunJson(run).data, status=201)


class AutolabelCancelView(APIView):
    @extend_schema(operation_id="autolabel_runs_cancel", request=None, responses={204: None})
    def post(self, request: Request, run_id: UUID) -> Response:
        run = autolabel_run_get(user=person(request), run_id=run_id, role=Role.ADMIN)
        autolabel_run_cancel(run=run, by=person(request))
        return Response(status=204)


class AutolabelRetryView(APIView):
    @extend_schema(operation_id="autolabel_runs_retry", request=None, responses={204: None})
    def post(self, request: Request, run_id: UUID) -> Response:
        run = autolabel_run_get(user=person(request), run_id=run_id, role=Role.ADMIN)
        autolabel_run_retry(run=run, by=person(request))
        return Response(status=204)
