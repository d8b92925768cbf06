"""Datasets, members and photos over HTTP."""

from collections.abc import Iterator
from typing import IO, cast
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.models import User
from backend.common.bytes import bytes_response
from backend.common.errors import DomainError, InvalidInput
from backend.common.fields import ShortList
from backend.datasets.archives import is_archive, read_archive
from backend.datasets.errors import ArchiveRefused, PhotoRefused
from backend.datasets.models import Image, Job, Membership, Role, Stage
from backend.datasets.selectors import dataset_get, image_get
from backend.datasets.services import (
    dataset_stage_set,
    images_import,
    member_jobs_set,
    member_remove,
    member_set,
)

MAX_ATTRIBUTION = 2_000  # letters


class MembershipJson(serializers.ModelSerializer):
    user = serializers.UUIDField(source="user_id", read_only=True)
    username = serializers.CharField(source="user.username")
    jobs = serializers.ListField(
        child=serializers.ChoiceField(choices=Job.choices),
        allow_null=True,
        read_only=True,
        help_text="the queues in which the person works; null: all",
    )

    class Meta:
        model = Membership
        fields = ["user", "username", "role", "jobs"]


class MemberJobsForm(serializers.Serializer):
    jobs = ShortList(
        child=serializers.ChoiceField(choices=Job.choices),
        max_length=20,
        allow_null=True,
        help_text="the queues in which the person works; null: all",
    )


class ImageBrief(serializers.ModelSerializer):
    """A photo as far as this app knows it; what people did with it is added by `annotation`."""

    pixels_url = serializers.SerializerMethodField()
    thumbnail_url = serializers.SerializerMethodField()

    class Meta:
        model = Image
        fields = [
            "id",
            "dataset",
            "file_name",
            "width",
            "height",
            "split",
            "licence",
            "attribution",
            "annotated_at",
            "created_at",
            "pixels_url",
            "thumbnail_url",
        ]
        read_only_fields = fields

    def get_pixels_url(self, image: Image) -> str:
        return f"/api/images/{image.id}/pixels/"

    def get_thumbnail_url(self, image: Image) -> str:
        return f"/api/images/{image.id}/thumbnail/"


class RefusalJson(serializers.Serializer):
    file_name = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class ImportReportJson(serializers.Serializer):
    imported = ImageBrief(many=True)
    already_there = ImageBrief(many=True)
    refused = RefusalJson(many=True)


class UploadForm(serializers.Serializer):
    files = serializers.ListField(child=serializers.FileField(allow_empty_file=True), allow_empty=False)
    licence = serializers.CharField(required=False, default="", allow_blank=True, max_length=120)
    attribution = serializers.CharField(required=False, default="", allow_blank=True, max_length=MAX_ATTRIBUTION)
    group = serializers.CharField(required=False, allow_blank=True, max_length=255)


class StageForm(serializers.Serializer):
    stage = serializers.ChoiceField(choices=Stage.choices)


class StageView(APIView):
    @extend_schema(operation_id="datasets_set_stage", request=StageForm, responses={204: None})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        """Move the dataset to another stage: which jobs there are for people follows from it."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = StageForm(data=request.data)
        form.is_valid(raise_exception=True)
        dataset_stage_set(dataset=dataset, stage=form.validated_data["stage"], by=person(request))
        return Response(status=204)


class MembersView(APIView):
    @extend_schema(operation_id="members_list", responses=MembershipJson(many=True))
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        members = dataset.memberships.select_related("user").order_by("user__username")
        return Response(MembershipJson(members, many=True).data)

    @extend_schema(operation_id="members_set", request=MembershipJson, responses=MembershipJson)
    def post(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = MembershipJson(data=request.data)
        form.is_valid(raise_exception=True)
        username = form.validated_data["user"]["username"]
        membership = member_set(
            dataset=dataset, username=username, role=form.validated_data["role"], by=person(request)
        )
        return Response(MembershipJson(membership).data, status=201)


class MemberView(APIView):
    @extend_schema(operation_id="members_set_jobs", request=MemberJobsForm, responses=MembershipJson)
    def patch(self, request: Request, dataset_id: UUID, user_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = MemberJobsForm(data=request.data)
        form.is_valid(raise_exception=True)
        jobs = form.validated_data["jobs"]
        try:
            membership = member_jobs_set(dataset=dataset, user_id=user_id, jobs=jobs, by=person(request))
        except Membership.DoesNotExist:
            raise InvalidInput("This person is no member.") from None
        return Response(MembershipJson(membership).data)

    @extend_schema(operation_id="members_remove", responses={204: None})
    def delete(self, request: Request, dataset_id: UUID, user_id: UUID) -> Response:
        """Admins remove anybody, others themselves."""
        role = Role.ANNOTATOR if user_id == person(request).id else Role.ADMIN
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=role)
        try:
            member_remove(dataset=dataset, user_id=user_id, by=person(request))
        except Membership.DoesNotExist:
            raise InvalidInput("This person is no member.") from None
        return Response(status=204)


class UploadView(APIView):
    parser_classes = [MultiPartParser]

    @extend_schema(operation_id="images_upload", request=UploadForm, responses={201: ImportReportJson})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        """Photos, and zip files of photos, together. One bad file does not lose the others."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        fields = {key: request.POST[key] for key in request.POST if key != "files"}
        form = UploadForm(data={**fields, "files": request.FILES.getlist("files")})
        form.is_valid(raise_exception=True)
        fields = form.validated_data
        report = images_import(
            dataset=dataset,
            files=_each_file(fields["files"]),
            by=person(request),
            licence=fields["licence"],
            attribution=fields["attribution"],
            group=fields.get("group") or None,
        )
        refused = [{"file_name": path, "code": e.code, "message": e.message} for path, e in report.refused]
        answer = {"imported": report.imported, "already_there": report.already_there, "refused": refused}
        return Response(ImportReportJson(answer).data, status=201)


def _each_file(files: list[UploadedFile]) -> Iterator[tuple[str, bytes | DomainError]]:
    for file in files:
        name = file.name or "unnamed"
        head = file.read(4)
        file.seek(0)
        if not is_archive(head):
            too_large = (file.size or 0) > settings.MAX_PHOTO_BYTES
            most = settings.MAX_PHOTO_BYTES >> 20
            yield name, PhotoRefused(f"{name} is larger than {most} MB.") if too_large else file.read()
            continue
        try:
            yield from read_archive(cast(IO[bytes], file.file), name)
        except ArchiveRefused as refusal:
            yield name, refusal


class PixelsView(APIView):
    @extend_schema(operation_id="image_pixels", responses={(200, "image/*"): OpenApiTypes.BINARY})
    def get(self, request: Request, image_id: UUID) -> HttpResponse | StreamingHttpResponse:
        image = image_get(user=person(request), image_id=image_id)
        return bytes_response(request, image.display_key, image.media_type, etag=image.content_hash)


class ThumbnailView(APIView):
    @extend_schema(operation_id="image_thumbnail", responses={(200, "image/jpeg"): OpenApiTypes.BINARY})
    def get(self, request: Request, image_id: UUID) -> HttpResponse | StreamingHttpResponse:
        image = image_get(user=person(request), image_id=image_id)
        return bytes_response(request, image.thumbnail_key, "image/jpeg", etag=f"{image.content_hash}-256")


def person(request: Request) -> User:
    """Whoever asks; the permission classes have made sure that it is somebody."""
    assert isinstance(request.user, User)
    return request.user
