"""Automatic runs over HTTP."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.annotation.gallery_api import ChoiceForm
from backend.autolabel.calibration import calibration_start, preview_start
from backend.autolabel.models import AutolabelRun, JobState, Purpose, RunState, Thresholds
from backend.autolabel.selectors import (
    Selection,
    autolabel_run_get,
    detector_of,
    images_to_label,
    progress_of,
    thresholds_of,
)
from backend.autolabel.services import (
    autolabel_run_cancel,
    autolabel_run_pause,
    autolabel_run_resume,
    autolabel_run_retry,
    autolabel_run_start,
)
from backend.checkpoints.selectors import live_checkpoint
from backend.datasets.api import person
from backend.datasets.models import Role
from backend.datasets.selectors import dataset_get


class JobCountsJson(serializers.Serializer):
    waiting = serializers.IntegerField()
    done = serializers.IntegerField()
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField()


class FailureJson(serializers.Serializer):
    image = serializers.UUIDField()
    file_name = serializers.CharField()
    error = serializers.CharField()


class PostponedJson(serializers.Serializer):
    photos = serializers.IntegerField()
    error = serializers.CharField(help_text="What the server came to grief by, on one of them.")


class ThresholdsForm(serializers.Serializer):
    min_predicted_iou = serializers.FloatField(min_value=0, max_value=1)
    min_stability = serializers.FloatField(min_value=0, max_value=1)


class SelectionForm(ChoiceForm):
    which = serializers.ChoiceField(choices=["waiting", "automatic", "all"], default="waiting")


PROMPTS = ["grid", "boxes"]
PROMPTS_HELP = "a grid of points, or the detector's boxes"


class PromptsField(serializers.ChoiceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(choices=PROMPTS, **options)


def prompts_by(detector_id: UUID | None) -> str:
    return "grid" if detector_id is None else "boxes"


class AutolabelRunJson(serializers.ModelSerializer):
    prompts = serializers.SerializerMethodField(help_text=f"{PROMPTS_HELP}; a calibration tries both, where it can")
    counts = JobCountsJson()
    masks = serializers.IntegerField()
    failures = FailureJson(many=True)
    postponed = PostponedJson(allow_null=True, help_text="Photos that are tried again in some minutes.")
    photos_per_minute = serializers.FloatField(allow_null=True)
    seconds_left = serializers.FloatField(allow_null=True)
    thresholds = serializers.SerializerMethodField()

    class Meta:
        model = AutolabelRun
        fields = [
            "id",
            "state",
            "purpose",
            "checkpoint",
            "prompts",
            "settings",
            "thresholds",
            "selection",
            "created_at",
            "finished_at",
            "counts",
            "masks",
            "failures",
            "postponed",
            "photos_per_minute",
            "seconds_left",
        ]
        read_only_fields = fields

    @extend_schema_field(ThresholdsForm(allow_null=True))
    def get_thresholds(self, run: AutolabelRun) -> dict[str, Any] | None:
        return run.thresholds or None

    @extend_schema_field(serializers.ChoiceField(choices=[*PROMPTS, "both"]))
    def get_prompts(self, run: AutolabelRun) -> str:
        prompts = prompts_by(run.detector_id)
        return "both" if run.purpose == Purpose.CALIBRATE and prompts == "boxes" else prompts

    def to_representation(self, run: AutolabelRun) -> dict[str, Any]:
        for name, value in progress_of(run).items():
            setattr(run, name, value)
        return super().to_representation(run)


class PreviewForm(serializers.Serializer):
    settings = serializers.DictField(default=dict)
    selection = SelectionForm(default=dict)
    prompts = PromptsField(
        required=False,
        allow_null=True,
        default=None,
        help_text=f"{PROMPTS_HELP}; null: as the calibration chose, else the grid",
    )


class AutolabelForm(PreviewForm):
    thresholds = ThresholdsForm(required=False, allow_null=True, default=None)


class SelectionCountJson(serializers.Serializer):
    photos = serializers.IntegerField()


class CandidateJson(serializers.Serializer):
    predicted_iou = serializers.FloatField()
    stability = serializers.FloatField()
    area = serializers.IntegerField(help_text="pixels of the photo")
    size = serializers.ListField(child=serializers.IntegerField(), help_text="height and width of the run lengths")
    counts = serializers.CharField()


class PreviewPhotoJson(serializers.Serializer):
    image = serializers.UUIDField()
    file_name = serializers.CharField()
    state = serializers.ChoiceField(choices=JobState.choices)
    error = serializers.CharField()
    masks = CandidateJson(many=True)


class PreviewJson(serializers.Serializer):
    run = AutolabelRunJson()
    photos = PreviewPhotoJson(many=True)


class ThresholdsJson(serializers.ModelSerializer):
    prompts = serializers.SerializerMethodField(help_text=f"that they were chosen for: {PROMPTS_HELP}")
    settings = serializers.SerializerMethodField(help_text="that they were chosen with, and hold for")

    class Meta:
        model = Thresholds
        exclude = ["id", "dataset", "created_at"]

    @extend_schema_field(PromptsField())
    def get_prompts(self, thresholds: Thresholds) -> str:
        return prompts_by(thresholds.detector_id)

    @extend_schema_field(serializers.DictField())
    def get_settings(self, thresholds: Thresholds) -> dict[str, Any]:
        return {} if thresholds.calibration is None else thresholds.calibration.settings


class ThresholdsAnswer(serializers.Serializer):
    thresholds = ThresholdsJson(allow_null=True)
    calibration = AutolabelRunJson(allow_null=True, help_text="the one on its way")
    has_detector = serializers.BooleanField(help_text="whether the live checkpoint has one, whose boxes may be prompts")


class CalibrationForm(serializers.Serializer):
    precision = serializers.FloatField(min_value=0.05, max_value=1, required=False)
    settings = serializers.DictField(default=dict)


def selection_of(form: dict[str, Any]) -> Selection:
    # The run keeps it as JSON, where a moment or an id is what it is in an address.
    kept = {name: value if isinstance(value, str | float) else str(value) for name, value in form.items()}
    return Selection(str(kept.pop("which", "waiting")), kept)


class AutolabelRunsView(APIView):
    @extend_schema(operation_id="autolabel_runs_list", responses=AutolabelRunJson(many=True))
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        runs = dataset.autolabel_runs.filter(purpose=Purpose.LABEL).order_by("-created_at")[:20]
        return Response(AutolabelRunJson(runs, many=True).data)

    @extend_schema(operation_id="autolabel_runs_start", request=AutolabelForm, responses={201: AutolabelRunJson})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = AutolabelForm(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = form.validated_data
        run = autolabel_run_start(
            dataset=dataset,
            by=person(request),
            settings=wanted["settings"],
            thresholds=dict(wanted["thresholds"]) if wanted["thresholds"] else None,
            prompts=wanted["prompts"],
            selection=selection_of(wanted["selection"]),
        )
        run.refresh_from_db()
        return Response(AutolabelRunJson(run).data, status=201)


class AutolabelSelectionView(APIView):
    @extend_schema(operation_id="autolabel_selection", parameters=[SelectionForm], responses=SelectionCountJson)
    def get(self, request: Request, dataset_id: UUID) -> Response:
        """How many photos a run would take. For admins, as runs are, and as some of what photos can be chosen by is."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = SelectionForm(data=request.query_params)
        form.is_valid(raise_exception=True)
        return Response({"photos": images_to_label(dataset, selection_of(form.validated_data)).count()})


class AutolabelPreviewsView(APIView):
    @extend_schema(operation_id="autolabel_previews_start", request=PreviewForm, responses={201: AutolabelRunJson})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = PreviewForm(data=request.data)
        form.is_valid(raise_exception=True)
        selection = selection_of(form.validated_data["selection"])
        run = preview_start(
            dataset=dataset,
            by=person(request),
            settings=form.validated_data["settings"],
            selection=selection,
            prompts=form.validated_data["prompts"],
        )
        run.refresh_from_db()
        return Response(AutolabelRunJson(run).data, status=201)


class AutolabelPreviewView(APIView):
    @extend_schema(operation_id="autolabel_previews_get", responses=PreviewJson)
    def get(self, request: Request, run_id: UUID) -> Response:
        """All candidates of the sampled photos; which of them pass is for the page to decide, without asking again."""
        run = autolabel_run_get(user=person(request), run_id=run_id, role=Role.ADMIN)
        photos = [
            {
                "image": job.image_id,
                "file_name": job.image.file_name,
                "state": job.state,
                "error": job.error,
                "masks": (job.candidates or {}).get("masks", []) if run.purpose == Purpose.PREVIEW else [],
            }
            for job in run.jobs.select_related("image").order_by("id")
        ]
        return Response(PreviewJson({"run": run, "photos": photos}).data)


class ThresholdsView(APIView):
    @extend_schema(operation_id="thresholds_get", responses=ThresholdsAnswer)
    def get(self, request: Request, dataset_id: UUID) -> Response:
        """Of the live checkpoint."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        live = live_checkpoint(dataset.id)
        running = dataset.autolabel_runs.filter(purpose=Purpose.CALIBRATE, state=RunState.RUNNING).first()
        found = thresholds_of(dataset, live) if live else None
        has_detector = live is not None and detector_of(dataset, live) is not None
        answer = {"thresholds": found, "calibration": running, "has_detector": has_detector}
        return Response(ThresholdsAnswer(answer).data)

    @extend_schema(operation_id="thresholds_calibrate", request=CalibrationForm, responses={201: AutolabelRunJson})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        """Have them chosen anew on the test photos."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = CalibrationForm(data=request.data)
        form.is_valid(raise_exception=True)
        run = calibration_start(dataset=dataset, by=person(request), **form.validated_data)
        run.refresh_from_db()
        return Response(AutolabelRunJson(run).data, status=201)


class AutolabelPauseView(APIView):
    @extend_schema(operation_id="autolabel_runs_pause", request=None, responses={204: None})
    def post(self, request: Request, run_id: UUID) -> Response:
        run = autolabel_run_get(user=person(request), run_id=run_id, role=Role.ADMIN)
        autolabel_run_pause(run=run, by=person(request))
        return Response(status=204)


class AutolabelResumeView(APIView):
    @extend_schema(operation_id="autolabel_runs_resume", request=None, responses={204: None})
    def post(self, request: Request, run_id: UUID) -> Response:
        run = autolabel_run_get(user=person(request), run_id=run_id, role=Role.ADMIN)
        autolabel_run_resume(run=run, by=person(request))
        return Response(status=204)


class AutolabelCancelView(APIView):
    @extend_schema(operation_id="autolabel_runs_cancel", request=None, responses={204: None})
    def post(self, request: Request, run_id: UUID) -> Response:
        run = autolabel_run_get(user=person(request), run_id=run_id, role=Role.ADMIN)
        autolabel_run_cancel(run=run, by=person(request))
        return Response(status=204)


class AutolabelRetryView(APIView):
    @extend_schema(operation_id="autolabel_runs_retry", request=None, responses={204: None})
    def post(self, request: Request, run_id: UUID) -> Response:
        run = autolabel_run_get(user=person(request), run_id=run_id, role=Role.ADMIN)
        autolabel_run_retry(run=run, by=person(request))
        return Response(status=204)
