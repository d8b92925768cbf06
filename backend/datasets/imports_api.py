"""Importing over HTTP: what is there already, and photos from S3."""

from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.common.fields import ShortList
from backend.datasets.api import person
from backend.datasets.models import Image, Role, S3Import, S3ImportRefusal
from backend.datasets.s3_imports import s3_import_cancel, s3_import_retry, s3_import_start
from backend.datasets.s3_sources import SHOWN_KEYS, Bucket, source_named, sources_of
from backend.datasets.selectors import dataset_get

MAX_HASHES = 1000
_SHOWN_REFUSALS = 200


class HashesForm(serializers.Serializer):
    hashes = ShortList(
        child=serializers.RegexField(r"^[0-9a-f]{64}$"), max_length=MAX_HASHES, help_text="SHA-256 of files, hex."
    )


class KnownJson(serializers.Serializer):
    known = serializers.ListField(child=serializers.CharField())


class SourceJson(serializers.Serializer):
    name = serializers.CharField()
    buckets = serializers.ListField(child=serializers.CharField())


class PlaceForm(serializers.Serializer):
    source = serializers.CharField(max_length=120)  # type: ignore[assignment]
    bucket = serializers.CharField(max_length=63)
    prefix = serializers.CharField(max_length=1000, allow_blank=True, default="", trim_whitespace=False)


class KeyJson(serializers.Serializer):
    key = serializers.CharField()
    byte_size = serializers.IntegerField()


class CheckJson(serializers.Serializer):
    keys = KeyJson(many=True, help_text="The first few.")
    count = serializers.IntegerField()
    is_all = serializers.BooleanField(help_text="False: there are more than were counted.")


class RefusalOfKeyJson(serializers.ModelSerializer):
    class Meta:
        model = S3ImportRefusal
        fields = ["key", "message"]
        read_only_fields = fields


class S3ImportJson(serializers.ModelSerializer):
    refusals = serializers.SerializerMethodField()

    class Meta:
        model = S3Import
        fields = [
            "id",
            "source",
            "bucket",
            "prefix",
            "state",
            "cursor",
            "imported",
            "already_there",
            "refused",
            "error",
            "created_at",
            "finished_at",
            "refusals",
        ]
        read_only_fields = fields

    def get_refusals(self, s3_import: S3Import) -> list[dict[str, str]]:
        return list(RefusalOfKeyJson(s3_import.refusals.order_by("key")[:_SHOWN_REFUSALS], many=True).data)


class KnownView(APIView):
    @extend_schema(operation_id="images_known", request=HashesForm, responses=KnownJson)
    def post(self, request: Request, dataset_id: UUID) -> Response:
        """Which of these files the dataset has, so that they need not be sent."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = HashesForm(data=request.data)
        form.is_valid(raise_exception=True)
        known = Image.objects.filter(dataset=dataset, content_hash__in=form.validated_data["hashes"])
        return Response(KnownJson({"known": list(known.values_list("content_hash", flat=True))}).data)


class SourcesView(APIView):
    @extend_schema(operation_id="s3_sources", responses=SourceJson(many=True))
    def get(self, request: Request, dataset_id: UUID) -> Response:
        """Those that the person may use."""
        dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        return Response(SourceJson(sources_of(person(request)), many=True).data)


class CheckView(APIView):
    @extend_schema(operation_id="s3_check", request=PlaceForm, responses=CheckJson)
    def post(self, request: Request, dataset_id: UUID) -> Response:
        """Look into a bucket, and import nothing."""
        user = person(request)
        dataset_get(user=user, dataset_id=dataset_id, role=Role.ADMIN)
        form = PlaceForm(data=request.data)
        form.is_valid(raise_exception=True)
        place = form.validated_data
        source = source_named(place["source"], place["bucket"], user=user)
        found, is_all = Bucket(source, place["bucket"]).first(place["prefix"])
        return Response(CheckJson({"keys": found[:SHOWN_KEYS], "count": len(found), "is_all": is_all}).data)


class S3ImportsView(APIView):
    @extend_schema(operation_id="s3_imports_list", responses=S3ImportJson(many=True))
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        return Response(S3ImportJson(dataset.s3_imports.order_by("-created_at")[:20], many=True).data)

    @extend_schema(operation_id="s3_imports_start", request=PlaceForm, responses={201: S3ImportJson})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = PlaceForm(data=request.data)
        form.is_valid(raise_exception=True)
        made = s3_import_start(dataset=dataset, by=person(request), **form.validated_data)
        return Response(S3ImportJson(made).data, status=201)


class CancelS3ImportView(APIView):
    @extend_schema(operation_id="s3_imports_cancel", request=None, responses={204: None})
    def post(self, request: Request, import_id: UUID) -> Response:
        s3_import_cancel(s3_import=_import_of(request, import_id), by=person(request))
        return Response(status=204)


class RetryS3ImportView(APIView):
    @extend_schema(operation_id="s3_imports_retry", request=None, responses={204: None})
    def post(self, request: Request, import_id: UUID) -> Response:
        s3_import_retry(s3_import=_import_of(request, import_id), by=person(request))
        return Response(status=204)


def _import_of(request: Request, import_id: UUID) -> S3Import:
    found = S3Import.objects.filter(id=import_id).first()
    if found is None:
        raise Http404
    dataset_get(user=person(request), dataset_id=found.dataset_id, role=Role.ADMIN)
    return found
