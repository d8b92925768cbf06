"""Checkpoints and deployments over HTTP."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.checkpoints.errors import DecoderNotReady
from backend.checkpoints.models import Checkpoint, Deployment
from backend.checkpoints.selectors import checkpoint_before, checkpoint_get, checkpoints_of
from backend.checkpoints.services import deployment_make, deployment_roll_back
from backend.checkpoints.tasks import export_decoder
from backend.common.bytes import bytes_response
from backend.datasets.api import person
from backend.datasets.models import Role
from backend.datasets.selectors import dataset_get
from engine import api as engine


class CheckpointBrief(serializers.ModelSerializer):
    decoder_url = serializers.SerializerMethodField()
    embedding_shape = serializers.ListField(child=serializers.IntegerField())
    text = serializers.SerializerMethodField(
        help_text="whether it takes words, and the web process has what reads them"
    )

    class Meta:
        model = Checkpoint
        fields = [
            "id",
            "name",
            "architecture",
            "encoder_hash",
            "decoder_hash",
            "decoder_url",
            "input_side",
            "embedding_shape",
            "text",
        ]
        read_only_fields = fields

    def get_decoder_url(self, checkpoint: Checkpoint) -> str:
        return f"/api/checkpoints/{checkpoint.id}/decoder/"

    def get_text(self, checkpoint: Checkpoint) -> bool:
        # A field for words that only ever says what an admin should have installed is worse than none.
        return checkpoint.text and bool(settings.TEXT_ENCODER or engine.has_text_extra())


class DeploymentJson(serializers.ModelSerializer):
    class Meta:
        model = Deployment
        fields = ["id", "checkpoint", "role", "since", "until", "reason"]
        read_only_fields = fields


class ScoreJson(serializers.Serializer):
    """What `evaluate clicks` said of a split of this dataset."""

    images = serializers.IntegerField()
    objects = serializers.IntegerField()
    miou = serializers.DictField(child=serializers.FloatField())
    oracle = serializers.DictField(child=serializers.FloatField())
    noc90 = serializers.FloatField(
        help_text="Mean clicks to 90% IoU; an object that never gets there counts as `max_clicks`."
    )
    max_clicks = serializers.IntegerField(required=False, help_text="Missing in older figures: there 20 were counted.")
    intervals = serializers.DictField(
        child=serializers.ListField(child=serializers.FloatField()),
        required=False,
        help_text="95%, bootstrap over photos: of mIoU by number of clicks, and of noc85 and noc90.",
    )
    by_size = serializers.DictField(
        child=serializers.DictField(child=serializers.FloatField()),
        required=False,
        help_text="Of small, medium and large objects: how many, and mIoU by number of clicks.",
    )


class ScoresJson(serializers.Serializer):
    test = ScoreJson(required=False)
    holdout = ScoreJson(required=False)


class CheckpointJson(CheckpointBrief):
    deployments = serializers.SerializerMethodField()
    is_before = serializers.SerializerMethodField(help_text="Whether it is the one that rolling back makes live.")
    scores = serializers.SerializerMethodField()

    class Meta(CheckpointBrief.Meta):
        fields = [*CheckpointBrief.Meta.fields, "created_at", "parent", "deployments", "is_before", "scores"]

    @extend_schema_field(DeploymentJson(many=True))
    def get_deployments(self, checkpoint: Checkpoint) -> Any:
        own = [d for d in checkpoint.deployments.all() if d.dataset_id == self.context["dataset"].id]
        return DeploymentJson(sorted(own, key=lambda d: d.since), many=True).data

    def get_is_before(self, checkpoint: Checkpoint) -> bool:
        return checkpoint == self.context["before"]

    @extend_schema_field(ScoresJson(allow_null=True))
    def get_scores(self, checkpoint: Checkpoint) -> dict[str, Any] | None:
        return checkpoint.scores.get(str(self.context["dataset"].id))


class DeployForm(serializers.Serializer):
    checkpoint = serializers.UUIDField()


class RollbackForm(serializers.Serializer):
    checkpoint = serializers.UUIDField(
        required=False,
        help_text="Which it is, so that a click does what it says; else whatever is before the present one.",
    )


class CheckpointsView(APIView):
    @extend_schema(operation_id="checkpoints_list", responses=CheckpointJson(many=True))
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        checkpoints, shown = checkpoints_of(dataset), {"dataset": dataset, "before": checkpoint_before(dataset)}
        return Response(CheckpointJson(checkpoints, many=True, context=shown).data)


class DeploymentsView(APIView):
    @extend_schema(operation_id="deployments_make", request=DeployForm, responses={201: DeploymentJson})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        """Make a checkpoint live by hand."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = DeployForm(data=request.data)
        form.is_valid(raise_exception=True)
        checkpoint = checkpoint_get(user=person(request), checkpoint_id=form.validated_data["checkpoint"])
        made = deployment_make(dataset=dataset, checkpoint=checkpoint, reason="by hand", by=person(request))
        return Response(DeploymentJson(made).data, status=201)


class RollbackView(APIView):
    @extend_schema(operation_id="deployments_roll_back", request=RollbackForm, responses={201: DeploymentJson})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = RollbackForm(data=request.data)
        form.is_valid(raise_exception=True)
        made = deployment_roll_back(dataset=dataset, by=person(request), to=form.validated_data.get("checkpoint"))
        return Response(DeploymentJson(made).data, status=201)


class DecoderView(APIView):
    @extend_schema(
        operation_id="checkpoint_decoder", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request, checkpoint_id: UUID) -> HttpResponse | StreamingHttpResponse:
        """The page's decoder, as ONNX; 202 while it is being made."""
        checkpoint = checkpoint_get(user=person(request), checkpoint_id=checkpoint_id)
        if not checkpoint.decoder_key:
            export_decoder.delay(str(checkpoint.id))
            raise DecoderNotReady("The decoder is being made; ask again in a moment.")
        return bytes_response(request, checkpoint.decoder_key, "application/octet-stream", etag=checkpoint.decoder_hash)


class WeightsView(APIView):
    @extend_schema(
        operation_id="checkpoint_weights", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request, checkpoint_id: UUID) -> HttpResponse | StreamingHttpResponse:
        """The file itself, for `python -m engine --checkpoint`: safetensors."""
        checkpoint = checkpoint_get(user=person(request), checkpoint_id=checkpoint_id)
        return bytes_response(request, checkpoint.storage_key, "application/octet-stream", etag=checkpoint.file_hash)
