"""Verdicts over HTTP."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.annotation.api import mask_of
from backend.datasets.api import person
from backend.datasets.models import Role
from backend.review.models import Verdict
from backend.review.services import verdict_give


class VerdictJson(serializers.ModelSerializer):
    class Meta:
        model = Verdict
        fields = ["id", "mask", "by", "answer", "seconds", "created_at"]
        read_only_fields = ["id", "mask", "by", "created_at"]


class VerdictsView(APIView):
    @extend_schema(operation_id="verdicts_give", request=VerdictJson, responses={201: VerdictJson})
    def post(self, request: Request, mask_id: UUID) -> Response:
        mask = mask_of(request, mask_id, Role.REVIEWER)
        form = VerdictJson(data=request.data)
        form.is_valid(raise_exception=True)
        answer, seconds = form.validated_data["answer"], form.validated_data.get("seconds")
        verdict = verdict_give(mask=mask, by=person(request), answer=answer, seconds=seconds)
        return Response(VerdictJson(verdict).data, status=201)
