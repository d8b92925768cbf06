"""Photos with what people did to them, leases and masks over HTTP. Here, too, are datasets: their numbers are about masks."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.models import User
from backend.annotation.masks import mask_put, mask_remove
from backend.annotation.models import Assignment, Mask, Origin
from backend.annotation.prompts import MAX_ASKED, MAX_PROMPTS, PromptJson
from backend.annotation.selectors import (
    assignment_get,
    counts_of,
    image_status,
    jobs_for,
    masks_at_work,
    masks_of,
)
from backend.annotation.services import (
    assignment_close,
    assignment_next,
    assignment_renew,
    assignment_reopen,
    assignment_submit,
    assignment_take,
    assignments_leave,
)
from backend.checkpoints.api import CheckpointBrief
from backend.checkpoints.selectors import live_checkpoint
from backend.checkpoints.services import deployment_ensure
from backend.common.costly import costly
from backend.common.errors import InvalidInput
from backend.common.fields import ShortList
from backend.datasets.api import ImageBrief, person
from backend.datasets.models import Dataset, Image, Job, Role, Stage
from backend.datasets.selectors import Part, dataset_get, datasets_of, image_get, memberships_of, part_by, role_in
from backend.datasets.services import dataset_create, dataset_update
from backend.inference.decoding import prompt_decode

MAX_SUBMITTED = 10_000  # masks of one photo


class CountsJson(serializers.Serializer):
    images = serializers.IntegerField()
    annotated = serializers.IntegerField()
    automatic = serializers.IntegerField()
    masks_human = serializers.IntegerField()
    masks_automatic = serializers.IntegerField()
    open_assignments = serializers.IntegerField()
    test_images_annotated = serializers.IntegerField()
    test_images_wanted = serializers.IntegerField(help_text="by the gate: two at least")
    test_masks = serializers.IntegerField()
    test_missing = serializers.CharField(help_text="what the gate wants before it decides; empty: nothing")
    fresh_in_seconds = serializers.IntegerField(help_text="0: counted now; else it is worth while to ask again then")


class DatasetJson(serializers.ModelSerializer):
    role = serializers.SerializerMethodField()
    jobs = serializers.SerializerMethodField(help_text="what there is to do for whoever asks, in the present stage")
    counts = serializers.SerializerMethodField()
    live_checkpoint = serializers.SerializerMethodField()
    stage = serializers.ChoiceField(choices=Stage.choices, read_only=True)
    guidelines = serializers.CharField(
        required=False, allow_blank=True, max_length=20_000, trim_whitespace=False, help_text="Markdown"
    )

    class Meta:
        model = Dataset
        fields = [
            "id",
            "name",
            "stage",
            "guidelines",
            "test_images_wanted",
            "test_masks_wanted",
            "created_at",
            "role",
            "jobs",
            "counts",
            "live_checkpoint",
        ]

    @extend_schema_field(serializers.ChoiceField(choices=Role.choices))
    def get_role(self, dataset: Dataset) -> str | None:
        return self._part(dataset).role

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(choices=Job.choices)))
    def get_jobs(self, dataset: Dataset) -> list[str]:
        return [str(job) for job in jobs_for(self._part(dataset), dataset)]

    def _part(self, dataset: Dataset) -> Part:
        """The person's own."""
        return part_by(self.context["user"], self.context["memberships"].get(dataset.id))

    @extend_schema_field(CountsJson)
    def get_counts(self, dataset: Dataset) -> dict[str, Any]:
        counts, seconds = costly(f"counts:{dataset.id}", lambda: counts_of(dataset))
        return {**counts, "fresh_in_seconds": seconds}

    @extend_schema_field(CheckpointBrief(allow_null=True))
    def get_live_checkpoint(self, dataset: Dataset) -> dict[str, Any] | None:
        live = live_checkpoint(dataset.id)
        return None if live is None else CheckpointBrief(live).data


def datasets_told(user: User, datasets: Any, *, many: bool = False) -> Any:
    """One, or many, as a person sees them. What the person is in them is asked for once."""
    return DatasetJson(datasets, many=many, context={"user": user, "memberships": memberships_of(user)}).data


class DatasetBrief(serializers.ModelSerializer):
    """What is shown beside a photo in work. Nothing is counted for it."""

    class Meta:
        model = Dataset
        fields = ["id", "name", "guidelines"]
        read_only_fields = fields


class ImageJson(ImageBrief):
    status = serializers.SerializerMethodField()
    mask_count = serializers.IntegerField(read_only=True)
    overlay_url = serializers.SerializerMethodField()

    class Meta(ImageBrief.Meta):
        fields = [*ImageBrief.Meta.fields, "status", "mask_count", "overlay_url"]

    @extend_schema_field(serializers.ChoiceField(choices=["waiting", "open", "annotated", "automatic"]))
    def get_status(self, image: Image) -> str:
        return image_status(image)

    def get_overlay_url(self, image: Image) -> str | None:
        """The masks, to lay over the thumbnail. Another address as soon as one of them is another."""
        masks: str | None = image.mask_set  # type: ignore[attr-defined]
        return masks and f"/api/images/{image.id}/overlay/?masks={masks}"


class MaskJson(serializers.ModelSerializer):
    size = serializers.SerializerMethodField()
    box = serializers.SerializerMethodField()
    crop_box = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    prompts = PromptJson(many=True)

    class Meta:
        model = Mask
        fields = [
            "id",
            "image",
            "size",
            "counts",
            "box",
            "area",
            "origin",
            "state",
            "predicted_iou",
            "stability",
            "crop_box",
            "prompts",
            "author",
            "checkpoint",
            "replaces",
            "audit_wanted",
            "created_at",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_size(self, mask: Mask) -> list[int]:
        return list(mask.image.size)

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_box(self, mask: Mask) -> list[int]:
        return list(mask.box)


class MaskForm(serializers.Serializer):
    assignment = serializers.UUIDField()
    size = ShortList(child=serializers.IntegerField(), min_length=2, max_length=2)
    counts = serializers.CharField(trim_whitespace=False)
    origin = serializers.ChoiceField(choices=[Origin.ASSISTED, Origin.BRUSH])
    crop_box = ShortList(
        child=serializers.IntegerField(min_value=0),
        min_length=4,
        max_length=4,
        allow_null=True,
        default=None,
        help_text="x0, y0, x1, y1 of the part of the photo that the model looked at; null: all of it",
    )
    prompts = PromptJson(many=True, max_length=MAX_PROMPTS)  # type: ignore[call-arg]  # of the list
    predicted_iou = serializers.FloatField(allow_null=True, default=None)
    stability = serializers.FloatField(allow_null=True, default=None)
    choice = serializers.IntegerField(allow_null=True, default=None, min_value=0, max_value=2)
    seconds = serializers.FloatField(allow_null=True, default=None, min_value=0, max_value=86_400)
    clicks = serializers.IntegerField(default=0, min_value=0)
    replaces = serializers.UUIDField(allow_null=True, default=None)

    def validate_prompts(self, prompts: list[dict[str, Any]]) -> Any:
        return [dict(prompt) for prompt in prompts]


class AssignmentJson(serializers.ModelSerializer):
    image = ImageBrief()
    checkpoint = CheckpointBrief()
    masks = serializers.SerializerMethodField()

    class Meta:
        model = Assignment
        fields = ["id", "job", "state", "expires_at", "image", "checkpoint", "tab", "masks"]
        read_only_fields = fields

    @extend_schema_field(MaskJson(many=True))
    def get_masks(self, assignment: Assignment) -> Any:
        return MaskJson(masks_at_work(assignment.image_id).select_related("image"), many=True).data


class NextForm(serializers.Serializer):
    job = serializers.ChoiceField(choices=Job.choices, default=Job.ANNOTATE)
    besides = ShortList(child=serializers.UUIDField(), default=list, max_length=200)

    def validate_job(self, job: str) -> Job:
        if job == Job.VERIFY:
            raise serializers.ValidationError("masks to verify are not handed out by the photo: ask for questions")
        return Job(job)


class NextJson(serializers.Serializer):
    assignment = AssignmentJson(allow_null=True)
    reason = serializers.ChoiceField(
        choices=["nothing_left", "too_many_open", "all_open_elsewhere", "not_in_this_stage", "not_your_job"],
        allow_null=True,
    )


class SubmitForm(serializers.Serializer):
    masks = ShortList(child=serializers.UUIDField(), max_length=MAX_SUBMITTED)
    complete = serializers.BooleanField(default=False, help_text="nothing is left to label on this photo")


class SkipForm(serializers.Serializer):
    reason = serializers.CharField(max_length=255)


def tab_of(request: Request) -> str | None:
    """Which window of the page asks; None: a script. Raises InvalidInput."""
    tab: str | None = request.headers.get("X-Maskloop-Tab")
    if tab is not None and not 0 < len(tab) <= 64:
        raise InvalidInput("X-Maskloop-Tab is the name of a window: 1 to 64 characters.")
    return tab


class DatasetsView(APIView):
    @extend_schema(operation_id="datasets_list", responses=DatasetJson(many=True))
    def get(self, request: Request) -> Response:
        return Response(datasets_told(person(request), datasets_of(person(request)), many=True))

    @extend_schema(operation_id="datasets_create", request=DatasetJson, responses={201: DatasetJson})
    def post(self, request: Request) -> Response:
        form = DatasetJson(data=request.data)
        form.is_valid(raise_exception=True)
        dataset = dataset_create(creator=person(request), **form.validated_data)
        deployment_ensure(dataset=dataset)
        return Response(datasets_told(person(request), dataset), status=201)


class DatasetView(APIView):
    @extend_schema(operation_id="datasets_get", responses=DatasetJson)
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        return Response(datasets_told(person(request), dataset))

    @extend_schema(operation_id="datasets_update", request=DatasetJson, responses=DatasetJson)
    def patch(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = DatasetJson(dataset, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        dataset = dataset_update(dataset_id=dataset.id, by=person(request), **form.validated_data)
        return Response(datasets_told(person(request), dataset))


class DatasetBriefView(APIView):
    @extend_schema(operation_id="datasets_brief", responses=DatasetBrief)
    def get(self, request: Request, dataset_id: UUID) -> Response:
        return Response(DatasetBrief(dataset_get(user=person(request), dataset_id=dataset_id)).data)


class ImageMasksView(APIView):
    @extend_schema(operation_id="image_masks", responses=MaskJson(many=True))
    def get(self, request: Request, image_id: UUID) -> Response:
        image = image_get(user=person(request), image_id=image_id)
        every = person(request).is_superuser or role_in(person(request), image.dataset_id) == Role.ADMIN
        return Response(MaskJson(masks_of(image.id, every=every).select_related("image"), many=True).data)


class NextAssignmentView(APIView):
    @extend_schema(operation_id="assignments_next", request=NextForm, responses=NextJson)
    def post(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        form = NextForm(data=request.data)
        form.is_valid(raise_exception=True)
        besides, job = set(form.validated_data["besides"]), form.validated_data["job"]
        found = assignment_next(dataset=dataset, holder=person(request), besides=besides, job=job, tab=tab_of(request))
        return Response(NextJson({"assignment": found.assignment, "reason": found.reason}).data)


class ReopenView(APIView):
    @extend_schema(operation_id="image_open", request=None, responses=AssignmentJson)
    def post(self, request: Request, image_id: UUID) -> Response:
        """Take this photo: to correct it, or to save what was drawn under a lease that ran out."""
        image = image_get(user=person(request), image_id=image_id)
        return Response(
            AssignmentJson(assignment_reopen(image=image, holder=person(request), tab=tab_of(request))).data
        )


class AssignmentView(APIView):
    @extend_schema(operation_id="assignments_get", responses=AssignmentJson)
    def get(self, request: Request, assignment_id: UUID) -> Response:
        return Response(AssignmentJson(assignment_get(user=person(request), assignment_id=assignment_id)).data)


class TakeView(APIView):
    @extend_schema(operation_id="assignments_take", request=None, responses=AssignmentJson)
    def post(self, request: Request, assignment_id: UUID) -> Response:
        """Let the window that the header X-Maskloop-Tab names write, and no other one of the person's."""
        own = assignment_get(user=person(request), assignment_id=assignment_id)
        tab = tab_of(request)
        if tab is None:
            raise InvalidInput("The header X-Maskloop-Tab says which window takes the photo; it is missing.")
        return Response(AssignmentJson(assignment_take(assignment_id=own.id, holder=person(request), tab=tab)).data)


class LeaveView(APIView):
    @extend_schema(operation_id="assignments_leave", request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """The window that the header X-Maskloop-Tab names is being closed."""
        if tab := tab_of(request):
            assignments_leave(holder=person(request), tab=tab)
        return Response(status=204)


class DecodeForm(serializers.Serializer):
    prompts = PromptJson(many=True, max_length=MAX_ASKED)  # type: ignore[call-arg]  # of the list
    previous = serializers.CharField(
        allow_null=True, default=None, help_text="logits of an earlier answer: float16, row by row, base64"
    )


class DecodeView(APIView):
    @extend_schema(
        operation_id="assignments_decode",
        request=DecodeForm,
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def post(self, request: Request, assignment_id: UUID) -> HttpResponse:
        """The masks for prompts, where the page cannot run the decoder: logits, float16, masks x rows x columns, raw.

        Best first: X-Predicted-Iou has their predicted IoUs, X-Channels which of the decoder's masks each is (0: the single
        one), X-Logits-Shape the shape. A mask of 256 x 256 is 131 kB, so an answer has 393 kB at most.
        """
        own = assignment_get(user=person(request), assignment_id=assignment_id)
        form = DecodeForm(data=request.data)
        form.is_valid(raise_exception=True)
        answer = prompt_decode(image=own.image, checkpoint=own.checkpoint, **form.validated_data)
        headers = {
            "X-Logits-Shape": ",".join(map(str, answer.shape)),
            "X-Predicted-Iou": ",".join(f"{iou:.6f}" for iou in answer.predicted_iou),
            "X-Channels": ",".join(map(str, answer.channels)),
            "Cache-Control": "no-store",
        }
        return HttpResponse(answer.logits, content_type="application/octet-stream", headers=headers)


class RenewView(APIView):
    @extend_schema(operation_id="assignments_renew", request=None, responses=AssignmentJson)
    def post(self, request: Request, assignment_id: UUID) -> Response:
        own = assignment_get(user=person(request), assignment_id=assignment_id)
        return Response(
            AssignmentJson(assignment_renew(assignment_id=own.id, holder=person(request), tab=tab_of(request))).data
        )


class SubmitView(APIView):
    @extend_schema(operation_id="assignments_submit", request=SubmitForm, responses={204: None})
    def post(self, request: Request, assignment_id: UUID) -> Response:
        own = assignment_get(user=person(request), assignment_id=assignment_id)
        form = SubmitForm(data=request.data)
        form.is_valid(raise_exception=True)
        said = form.validated_data
        assignment_submit(
            assignment_id=own.id,
            holder=person(request),
            mask_ids=set(said["masks"]),
            complete=said["complete"],
            tab=tab_of(request),
        )
        return Response(status=204)


class SkipView(APIView):
    @extend_schema(operation_id="assignments_skip", request=SkipForm, responses={204: None})
    def post(self, request: Request, assignment_id: UUID) -> Response:
        own = assignment_get(user=person(request), assignment_id=assignment_id)
        form = SkipForm(data=request.data)
        form.is_valid(raise_exception=True)
        assignment_close(
            assignment_id=own.id, holder=person(request), skip_reason=form.validated_data["reason"], tab=tab_of(request)
        )
        return Response(status=204)


class ReleaseView(APIView):
    @extend_schema(operation_id="assignments_release", request=None, responses={204: None})
    def post(self, request: Request, assignment_id: UUID) -> Response:
        own = assignment_get(user=person(request), assignment_id=assignment_id)
        assignment_close(assignment_id=own.id, holder=person(request), skip_reason=None, tab=tab_of(request))
        return Response(status=204)


class MaskView(APIView):
    @extend_schema(operation_id="masks_put", request=MaskForm, responses={200: MaskJson, 201: MaskJson})
    def put(self, request: Request, mask_id: UUID) -> Response:
        form = MaskForm(data=request.data)
        form.is_valid(raise_exception=True)
        assignment_get(user=person(request), assignment_id=form.validated_data["assignment"])
        mask, is_new = mask_put(mask_id=mask_id, author=person(request), body=form.validated_data, tab=tab_of(request))
        return Response(MaskJson(mask).data, status=201 if is_new else 200)

    @extend_schema(operation_id="masks_remove", responses={204: None})
    def delete(self, request: Request, mask_id: UUID) -> Response:
        mask = mask_of(request, mask_id)
        mask_remove(mask=mask, by=person(request), tab=tab_of(request))
        return Response(status=204)


def mask_of(request: Request, mask_id: UUID, role: Role = Role.ANNOTATOR) -> Mask:
    """A mask that the person may see. Raises Http404, PermissionDenied."""
    from django.http import Http404

    mask = Mask.objects.select_related("image").filter(id=mask_id).first()
    if mask is None:
        raise Http404
    dataset_get(user=person(request), dataset_id=mask.image.dataset_id, role=role)
    return mask
