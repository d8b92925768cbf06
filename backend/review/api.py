"""Verifying masks over HTTP.

    POST /api/datasets/ID/questions/   {"count": 10, "besides": [ids at hand]}: outlines to judge, leased to this person
    PUT  /api/verdicts/UUID/           {"question", "answer", "seconds"}: an answer; a new UUID replaces the earlier one

A question says nothing of where its outline comes from: some have a known answer, and nobody is to recognise them.
"""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.annotation.api import mask_of
from backend.autolabel.api import FailureJson
from backend.autolabel.models import ReviewRules
from backend.autolabel.proposals import proposals_retry, review_rules_set
from backend.autolabel.selectors import rules_of
from backend.common.fields import ShortList
from backend.datasets.api import person
from backend.datasets.models import Job, Role, Stage, WorkOrder
from backend.datasets.selectors import dataset_get
from backend.review.models import MOST_SECONDS, Answer, Question, Verdict
from backend.review.selectors import people_of, question_get, review_of
from backend.review.services import questions_next, questions_release, verdict_decide, verdict_put
from engine import masks as run_lengths


class QuestionImageJson(serializers.Serializer):
    id = serializers.UUIDField()
    file_name = serializers.CharField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    pixels_url = serializers.SerializerMethodField()

    def get_pixels_url(self, image: Any) -> str:
        return f"/api/images/{image.id}/pixels/"


class QuestionJson(serializers.ModelSerializer):
    image = QuestionImageJson(source="mask.image")
    size = serializers.SerializerMethodField()
    counts = serializers.SerializerMethodField()
    box = serializers.SerializerMethodField()

    class Meta:
        model = Question
        fields = ["id", "image", "size", "counts", "box", "expires_at"]
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_size(self, question: Question) -> list[int]:
        return list(question.mask.image.size)

    def get_counts(self, question: Question) -> str:
        return question.counts or question.mask.counts

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_box(self, question: Question) -> list[int]:
        if not question.counts:
            return list(question.mask.box)
        return list(run_lengths.bbox(run_lengths.Rle(size=list(question.mask.image.size), counts=question.counts)))


class QuestionsForm(serializers.Serializer):
    count = serializers.IntegerField(default=10, min_value=1, max_value=30)
    besides = ShortList(child=serializers.UUIDField(), default=list, max_length=200)


class QuestionsJson(serializers.Serializer):
    questions = QuestionJson(many=True)
    reason = serializers.ChoiceField(
        choices=["nothing_left", "too_many_open", "all_open_elsewhere", "not_in_this_stage", "not_your_job"],
        allow_null=True,
    )


class QuestionVerdictForm(serializers.Serializer):
    question = serializers.UUIDField()
    answer = serializers.ChoiceField(choices=Answer.choices)
    seconds = serializers.FloatField(allow_null=True, default=None, min_value=0, max_value=MOST_SECONDS)


class QuestionVerdictJson(serializers.ModelSerializer):
    class Meta:
        model = Verdict
        fields = ["id", "question", "answer", "seconds", "created_at"]
        read_only_fields = fields


class VerdictJson(serializers.ModelSerializer):
    seconds = serializers.FloatField(allow_null=True, required=False, min_value=0, max_value=MOST_SECONDS)

    class Meta:
        model = Verdict
        fields = ["id", "mask", "by", "answer", "seconds", "created_at"]
        read_only_fields = ["id", "mask", "by", "created_at"]


class QueueJson(serializers.Serializer):
    waiting = serializers.IntegerField()
    skipped = serializers.IntegerField()


class QueuesJson(serializers.Serializer):
    annotate = QueueJson()
    verify = QueueJson()
    complete = QueueJson()
    correct = QueueJson()


class SecondOpinionsJson(serializers.Serializer):
    wanted = serializers.IntegerField(help_text="proposals that were drawn by lot for two people")
    obtained = serializers.IntegerField(help_text="that two people have judged")
    waiting = serializers.IntegerField(
        help_text="that still may be; of the others the photo was completed, or the mask settled, before"
    )


class ProposalCountsJson(serializers.Serializer):
    preparing = serializers.IntegerField()
    failed = serializers.IntegerField()
    offered = serializers.IntegerField()
    left_out = serializers.IntegerField()
    failures = FailureJson(many=True)


class DetectorJson(serializers.Serializer):
    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    threshold = serializers.FloatField(allow_null=True)
    best_precision = serializers.FloatField(allow_null=True)
    photos = serializers.IntegerField()
    boxes = serializers.IntegerField()


class ReviewJson(serializers.Serializer):
    stage = serializers.ChoiceField(choices=Stage.choices)
    jobs = serializers.ListField(child=serializers.ChoiceField(choices=Job.choices))
    queues = QueuesJson()
    second_opinions = SecondOpinionsJson(allow_null=True, help_text="for admins")
    proposals = ProposalCountsJson()
    detector = DetectorJson(allow_null=True)


class ReviewRulesJson(serializers.ModelSerializer):
    order = serializers.ChoiceField(
        choices=WorkOrder.choices, source="dataset.work_order", help_text="of photos to be drawn, too"
    )

    class Meta:
        model = ReviewRules
        fields = ["precision", "verified_twice_share", "known_share", "order"]


class VerifierJson(serializers.Serializer):
    user = serializers.UUIDField()
    username = serializers.CharField()
    verdicts = serializers.IntegerField()
    seconds_each = serializers.FloatField(allow_null=True)
    answered_by_others_too = serializers.IntegerField()
    kappa = serializers.FloatField(allow_null=True)
    known = serializers.IntegerField()
    known_right = serializers.IntegerField()


class ReviewView(APIView):
    @extend_schema(operation_id="review_get", responses=ReviewJson)
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        return Response(ReviewJson(review_of(dataset, person(request))).data)


class ProposalsRetryView(APIView):
    @extend_schema(operation_id="proposals_retry", request=None, responses={204: None})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        """Try the photos again whose proposals failed."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        proposals_retry(dataset=dataset, by=person(request))
        return Response(status=204)


class ReviewRulesView(APIView):
    @extend_schema(operation_id="review_rules_get", responses=ReviewRulesJson)
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.REVIEWER)
        return Response(ReviewRulesJson(rules_of(dataset)).data)

    @extend_schema(operation_id="review_rules_set", request=ReviewRulesJson, responses=ReviewRulesJson)
    def patch(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = ReviewRulesJson(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        fields = dict(form.validated_data)
        if "dataset" in fields:
            fields["order"] = fields.pop("dataset")["work_order"]
        rules = review_rules_set(dataset=dataset, by=person(request), **fields)
        return Response(ReviewRulesJson(rules).data)


class VerifiersView(APIView):
    @extend_schema(operation_id="review_people", responses=VerifierJson(many=True))
    def get(self, request: Request, dataset_id: UUID) -> Response:
        """Reviewers and admins see everybody, others themselves."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        return Response(VerifierJson(people_of(dataset, person(request)), many=True).data)


class QuestionsView(APIView):
    @extend_schema(operation_id="questions_next", request=QuestionsForm, responses=QuestionsJson)
    def post(self, request: Request, dataset_id: UUID) -> Response:
        """Outlines to judge: those that this person holds besides the ones named, then new ones. Renews their lease."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        form = QuestionsForm(data=request.data)
        form.is_valid(raise_exception=True)
        fields = form.validated_data
        found = questions_next(
            dataset=dataset, holder=person(request), count=fields["count"], besides=set(fields["besides"])
        )
        return Response(QuestionsJson({"questions": found.questions, "reason": found.reason}).data)


class QuestionsReleaseView(APIView):
    @extend_schema(operation_id="questions_release", request=None, responses={204: None})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        """Give back what this person holds and has not answered."""
        dataset = dataset_get(user=person(request), dataset_id=dataset_id)
        questions_release(dataset=dataset, holder=person(request))
        return Response(status=204)


class VerdictView(APIView):
    @extend_schema(
        operation_id="verdicts_put",
        request=QuestionVerdictForm,
        responses={200: QuestionVerdictJson, 201: QuestionVerdictJson},
    )
    def put(self, request: Request, verdict_id: UUID) -> Response:
        form = QuestionVerdictForm(data=request.data)
        form.is_valid(raise_exception=True)
        fields = form.validated_data
        question = question_get(user=person(request), question_id=fields["question"])
        verdict, is_new = verdict_put(
            verdict_id=verdict_id,
            question=question,
            by=person(request),
            answer=fields["answer"],
            seconds=fields["seconds"],
        )
        return Response(QuestionVerdictJson(verdict).data, status=201 if is_new else 200)


class VerdictsView(APIView):
    @extend_schema(operation_id="verdicts_give", request=VerdictJson, responses={201: VerdictJson})
    def post(self, request: Request, mask_id: UUID) -> Response:
        """A reviewer's own decision about any mask."""
        mask = mask_of(request, mask_id, Role.REVIEWER)
        form = VerdictJson(data=request.data)
        form.is_valid(raise_exception=True)
        answer, seconds = form.validated_data["answer"], form.validated_data.get("seconds")
        verdict = verdict_decide(mask=mask, by=person(request), answer=answer, seconds=seconds)
        return Response(VerdictJson(verdict).data, status=201)
