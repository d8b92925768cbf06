"""Embeddings and text prompts over HTTP."""

from uuid import UUID

from django.http import Http404, HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.checkpoints.models import Checkpoint
from backend.checkpoints.selectors import checkpoint_get
from backend.common.bytes import bytes_response
from backend.datasets.api import person
from backend.datasets.selectors import image_get
from backend.inference.models import TextToken
from backend.inference.regions import WHOLE, region_of, written
from backend.inference.services import embedding_wanted, text_token_get


class EmbeddingView(APIView):
    @extend_schema(
        operation_id="image_embedding",
        parameters=[OpenApiParameter("region", str, description="x0,y0,x1,y1; without it the whole photo")],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, image_id: UUID, encoder_hash: str) -> HttpResponse | StreamingHttpResponse:
        """float16, channels x rows x columns, raw. 202 while it is being made: somebody is waiting, so it goes first.

        With a region, of that part of the photo alone, as if it were a photo: `X-Region` says which, since a region begins and
        ends on a grid; empty where that is (nearly) the whole photo.
        """
        image = image_get(user=person(request), image_id=image_id)
        checkpoint = Checkpoint.objects.filter(encoder_hash=encoder_hash).first()
        if checkpoint is None:
            raise Http404
        region = written(region_of(request.query_params.get("region", WHOLE), image))
        embedding = embedding_wanted(image=image, encoder_hash=encoder_hash, region=region)
        return bytes_response(
            request,
            embedding.storage_key,
            "application/octet-stream",
            etag=f"{encoder_hash}-{image.content_hash}-{region}",
            headers={"X-Embedding-Shape": ",".join(map(str, checkpoint.embedding_shape)), "X-Region": region},
        )


class TextForm(serializers.Serializer):
    words = serializers.CharField(max_length=200, help_text="what to look for")


class TextTokenJson(serializers.ModelSerializer):
    token = serializers.ListField(child=serializers.FloatField(), help_text="as many as the decoder has channels")

    class Meta:
        model = TextToken
        fields = ["words", "decoder_hash", "token"]
        read_only_fields = fields


class TextTokenView(APIView):
    @extend_schema(operation_id="checkpoint_text", parameters=[TextForm], responses=TextTokenJson)
    def get(self, request: Request, checkpoint_id: UUID) -> Response:
        """Words as the prompt token of this checkpoint's decoder; 202 while a worker makes it."""
        checkpoint = checkpoint_get(user=person(request), checkpoint_id=checkpoint_id)
        form = TextForm(data=request.query_params)
        form.is_valid(raise_exception=True)
        token = text_token_get(checkpoint=checkpoint, words=form.validated_data["words"])
        return Response(TextTokenJson(token).data)
