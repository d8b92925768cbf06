"""Releases over HTTP."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.common.bytes import bytes_response
from backend.datasets.api import person
from backend.datasets.models import Role
from backend.datasets.selectors import dataset_get
from backend.releases.models import Format, Release
from backend.releases.selectors import release_get
from backend.releases.services import release_request


class ReleaseFileJson(serializers.Serializer):
    name = serializers.CharField()
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    url = serializers.CharField()


class ReleaseJson(serializers.ModelSerializer):
    image_count = serializers.IntegerField(source="frozen_set.image_count")
    mask_count = serializers.IntegerField(source="frozen_set.mask_count")
    digest = serializers.CharField(source="frozen_set.digest")
    files = serializers.SerializerMethodField()

    class Meta:
        model = Release
        fields = [
            "id",
            "number",
            "format",
            "state",
            "progress",
            "error",
            "created_at",
            "finished_at",
            "image_count",
            "mask_count",
            "digest",
            "files",
        ]
        read_only_fields = fields

    @extend_schema_field(ReleaseFileJson(many=True))
    def get_files(self, release: Release) -> list[dict[str, Any]]:
        return [
            {
                **{key: file[key] for key in ("name", "bytes", "sha256")},
                "url": f"/api/releases/{release.id}/files/{file['name']}",
            }
            for file in release.files
        ]


class ReleaseForm(serializers.Serializer):
    format = serializers.ChoiceField(choices=Format.choices)


class ReleasesView(APIView):
    @extend_schema(operation_id="releases_list", responses=ReleaseJson(many=True))
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        releases = dataset.releases.select_related("frozen_set").order_by("-number")
        return Response(ReleaseJson(releases, many=True).data)

    @extend_schema(operation_id="releases_request", request=ReleaseForm, responses={201: ReleaseJson})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = ReleaseForm(data=request.data)
        form.is_valid(raise_exception=True)
        release = release_request(
            dataset=dataset, by=person(request), format_name=form.validated_data["format"], options={}
        )
        return Response(ReleaseJson(release).data, status=201)


class ReleaseView(APIView):
    @extend_schema(operation_id="releases_get", responses=ReleaseJson)
    def get(self, request: Request, release_id: UUID) -> Response:
        return Response(ReleaseJson(release_get(user=person(request), release_id=release_id)).data)


class ReleaseFileView(APIView):
    @extend_schema(operation_id="releases_file", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, release_id: UUID, name: str) -> HttpResponse | StreamingHttpResponse:
        release = release_get(user=person(request), release_id=release_id)
        file = next((file for file in release.files if file["name"] == name), None)
        if file is None:
            raise Http404
        disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
        return bytes_response(
            request, file["storage_key"], "application/octet-stream", etag=file["sha256"], headers=disposition
        )
