"""The audit over HTTP."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.datasets.api import person
from backend.datasets.models import Role
from backend.datasets.selectors import dataset_get
from backend.review.audit import audit_plan_set, audit_report, plan_of
from backend.review.models import AuditPlan


class AuditPlanJson(serializers.ModelSerializer):
    class Meta:
        model = AuditPlan
        fields = ["share", "rate_90", "rate_75"]
        extra_kwargs = {name: {"min_value": 0, "max_value": 1} for name in fields}


class LevelJson(serializers.Serializer):
    level = serializers.FloatField()
    share = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(help_text="95%, by photos")
    high = serializers.FloatField()


class SharesJson(serializers.Serializer):
    pairs = serializers.IntegerField()
    levels = LevelJson(many=True)


class PartJson(SharesJson):
    part = serializers.ChoiceField(choices=["stage", "checkpoint", "size"])
    value = serializers.CharField(allow_blank=True)


class AuditReportJson(serializers.Serializer):
    waiting = serializers.IntegerField()
    all = SharesJson()
    by = PartJson(many=True)
    warnings = serializers.ListField(child=serializers.CharField())


class AuditJson(serializers.Serializer):
    plan = AuditPlanJson()
    report = AuditReportJson()


class AuditView(APIView):
    @extend_schema(operation_id="audit_get", responses=AuditJson)
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        return Response(AuditJson({"plan": plan_of(dataset), "report": audit_report(dataset)}).data)

    @extend_schema(operation_id="audit_plan_set", request=AuditPlanJson(partial=True), responses=AuditPlanJson)
    def patch(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = AuditPlanJson(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        return Response(AuditPlanJson(audit_plan_set(dataset=dataset, by=person(request), **form.validated_data)).data)
