"""Masks that exist already, over HTTP."""

from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.annotation.importing import mask_files_import
from backend.common.errors import InvalidInput
from backend.datasets.api import person
from backend.datasets.models import Role
from backend.datasets.selectors import dataset_get

_ENDINGS = (".png", ".json")


class MaskFileForm(serializers.Serializer):
    file = serializers.FileField(help_text="A label map (PNG, named as its photo is), or a COCO json.")
    complete = serializers.BooleanField(default=False, help_text="Nothing is left to label on these photos.")


class MaskRefusalJson(serializers.Serializer):
    name = serializers.CharField(help_text="The file, or the photo that a json names.")
    message = serializers.CharField()


class MaskReportJson(serializers.Serializer):
    added = serializers.IntegerField()
    already_there = serializers.IntegerField()
    refused = MaskRefusalJson(many=True)


class MaskImportView(APIView):
    parser_classes = [MultiPartParser]

    @extend_schema(operation_id="masks_import", request=MaskFileForm, responses={201: MaskReportJson})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        """Masks of photos that the dataset has. The same file again adds nothing."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = MaskFileForm(data=request.data)
        form.is_valid(raise_exception=True)
        file = form.validated_data["file"]
        name = PurePath(file.name).name
        if not name.lower().endswith(_ENDINGS):
            raise InvalidInput(f"{name} is neither a label map (PNG) nor a COCO json.")
        if file.size > settings.MAX_MASK_FILE_BYTES:
            most = settings.MAX_MASK_FILE_BYTES >> 20
            raise InvalidInput(f"{name} is larger than {most} MB: whoever runs the server has manage.py import_masks.")
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"masks{PurePath(name).suffix}"
            with path.open("wb") as copy:
                copy.writelines(file.chunks())
            complete = form.validated_data["complete"]
            report = mask_files_import(dataset=dataset, source=path, complete=complete, called=name)
        refused = [{"name": what, "message": why} for what, why in report.refused]
        answer = {"added": report.added, "already_there": report.already_there, "refused": refused}
        return Response(MaskReportJson(answer).data, status=201)
