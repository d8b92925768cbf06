"""The gallery over HTTP: photos page by page, and their masks as pictures."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.annotation.api import ImageJson
from backend.annotation.gallery import ORIGINS, Sort, Status, images_chosen, images_sorted_by
from backend.annotation.overlays import overlay_ensure
from backend.annotation.selectors import masks_of, skips_of
from backend.common.bytes import bytes_response
from backend.common.keyset import page_links, page_of
from backend.datasets.api import person
from backend.datasets.models import Job, Role, Split, Stage
from backend.datasets.selectors import dataset_get, image_get, role_in

MAX_PAGE_SIZE = 500

#: Whoever gives a second opinion must not be able to ask for the first, and why people skip is told to admins alone.
NEEDS_ROLE = {
    "skipped": Role.ADMIN,
    "skipped_in": Role.ADMIN,
    "verdict": Role.REVIEWER,
    "judged_by": Role.REVIEWER,
    "judged_from": Role.REVIEWER,
    "judged_to": Role.REVIEWER,
}


class ImagePageJson(serializers.Serializer):
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    count = serializers.IntegerField(allow_null=True, help_text="Of all pages; null where a cursor was given.")
    results = ImageJson(many=True)


class ChoiceForm(serializers.Serializer):
    """A set of photos, as `images_chosen` takes it."""

    status = serializers.ChoiceField(choices=Status.choices, required=False, allow_blank=True)
    split = serializers.ChoiceField(choices=Split.choices, required=False, allow_blank=True)
    name = serializers.CharField(required=False, allow_blank=True, max_length=255)
    skipped = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=255,
        help_text="Only photos that somebody skipped for this reason. For admins.",
    )
    skipped_in = serializers.ChoiceField(
        choices=Job.choices, required=False, allow_blank=True, help_text="Which work somebody skipped. For admins."
    )
    stage = serializers.ChoiceField(
        choices=Stage.choices, required=False, allow_blank=True, help_text="The dataset's, when a mask was made."
    )
    origin = serializers.ChoiceField(choices=ORIGINS, required=False, allow_blank=True)
    person = serializers.UUIDField(required=False, help_text="Others than oneself: for reviewers and admins.")
    submitted_by = serializers.UUIDField(required=False, help_text="Whose photo it was; others than oneself as above.")
    checkpoint = serializers.UUIDField(required=False)
    confidence_from = serializers.FloatField(required=False, min_value=0, max_value=1)
    confidence_to = serializers.FloatField(required=False, min_value=0, max_value=1)
    made_from = serializers.DateTimeField(required=False)
    made_to = serializers.DateTimeField(required=False, help_text="Before this moment.")
    finished_from = serializers.DateTimeField(required=False, help_text="When a person first finished the photo.")
    finished_to = serializers.DateTimeField(required=False)
    verdict = serializers.RegexField(
        r"^[a-z_]+$",
        required=False,
        max_length=13,
        help_text="What somebody, in their last word, said of a proposal. For reviewers and admins, as `judged_...` are.",
    )
    judged_by = serializers.UUIDField(required=False)
    judged_from = serializers.DateTimeField(required=False)
    judged_to = serializers.DateTimeField(required=False)

    def to_internal_value(self, data: Any) -> Any:
        """An empty field of a form is one that was not filled in."""
        if isinstance(data, Mapping):
            data = {name: value for name, value in data.items() if value != ""}
        return super().to_internal_value(data)


class ChosenForm(ChoiceForm):
    sort = serializers.ChoiceField(choices=Sort.choices, default=Sort.OLDEST)
    page_size = serializers.IntegerField(min_value=1, max_value=MAX_PAGE_SIZE, default=60)
    cursor = serializers.CharField(required=False, allow_blank=True)
    start = serializers.UUIDField(required=False, help_text="The photo to begin with.")


class ImagesView(APIView):
    @extend_schema(operation_id="images_list", parameters=[ChosenForm], responses=ImagePageJson)
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        form = ChosenForm(data=request.query_params)
        form.is_valid(raise_exception=True)
        chosen = dict(form.validated_data)
        roles = {NEEDS_ROLE[name] for name, value in chosen.items() if name in NEEDS_ROLE and value}
        if {chosen.get("person"), chosen.get("submitted_by")} - {None, person(request).id}:
            roles.add(Role.REVIEWER)  # by days, it is how much others worked
        for role in roles:
            dataset_get(user=person(request), dataset_id=dataset_id, role=role)
        size, cursor, start = chosen.pop("page_size"), chosen.pop("cursor", None), chosen.pop("start", None)
        sort = Sort(chosen.pop("sort"))
        every = role_in(person(request), dataset.id) == Role.ADMIN
        images, order = images_chosen(dataset, sort=sort, every=every, **chosen)
        first = images_sorted_by(dataset, sort).filter(id=start).first() if start else None
        page = page_of(images, order, size=size, cursor=cursor, start=first)
        return Response(
            {
                **page_links(request, page),
                "count": None if cursor else images.count(),
                "results": ImageJson(page.rows, many=True).data,
            }
        )


class SkipsJson(serializers.Serializer):
    job = serializers.ChoiceField(choices=Job.choices)
    reason = serializers.CharField()
    photos = serializers.IntegerField()
    left = serializers.IntegerField(help_text="of these photos, those that nobody has labelled since")
    people = serializers.IntegerField()


class SkipsView(APIView):
    @extend_schema(operation_id="skips_list", responses=SkipsJson(many=True))
    def get(self, request: Request, dataset_id: UUID) -> Response:
        """Why people passed photos over, most photos first."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        return Response(SkipsJson(skips_of(dataset), many=True).data)


class OverlayView(APIView):
    @extend_schema(
        operation_id="image_overlay",
        parameters=[OpenApiParameter("masks", str, description="Of `overlay_url`; other masks, another address.")],
        responses={(200, "image/png"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, image_id: UUID) -> HttpResponse | StreamingHttpResponse:
        image = image_get(user=person(request), image_id=image_id)
        key = overlay_ensure(image=image, masks=list(masks_of(image.id)))
        return bytes_response(request, key, "image/png", etag=key.removeprefix("overlays/"))
