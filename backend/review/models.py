"""What people think of masks."""

from django.conf import settings
from django.db import models

from backend.annotation.models import Assignment, Mask
from backend.common.models import Row
from backend.datasets.models import Dataset

#: Of one answer; a day, as for a mask. Longer ones are no measurements.
MOST_SECONDS = 86_400


class Answer(models.TextChoices):
    ACCEPT = "accept"
    FIX = "fix"
    NOT_AN_OBJECT = "not_an_object"
    UNSURE = "unsure"


class QuestionKind(models.TextChoices):
    PROPOSAL = "proposal"  # nobody knows yet
    KNOWN = "known"  # the right answer is known, and the person is not told which questions are such


class QuestionState(models.TextChoices):
    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"


class Question(Row):
    """One outline before one person: is this right? A lease, until they answer it or stop renewing."""

    mask = models.ForeignKey(Mask, models.CASCADE, related_name="questions")
    holder = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="questions")
    kind = models.CharField(max_length=8, choices=QuestionKind.choices)
    counts = models.TextField(blank=True)  # the outline that is shown, where it is not the mask's: a spoiled one
    expected = models.CharField(max_length=13, choices=Answer.choices, blank=True)  # of known ones
    state = models.CharField(max_length=8, choices=QuestionState.choices, default=QuestionState.OPEN)
    expires_at = models.DateTimeField()  # by the database's clock

    class Meta:
        constraints = [
            # The database itself refuses to ask two people about one proposal at a time.
            models.UniqueConstraint(
                fields=["mask"],
                condition=models.Q(state="open", kind="proposal"),
                name="one_open_question_per_proposal",
            ),
        ]
        indexes = [
            models.Index(fields=["holder", "state"], name="question_of_holder"),
            models.Index(fields=["expires_at"], name="question_expiry", condition=models.Q(state="open")),
        ]


class Verdict(Row):
    """Append-only. A mask's current state follows from the latest verdict of each person; see `conclusions`.

    `id` is made by the page, so that sending it twice leaves one row.
    """

    mask = models.ForeignKey(Mask, models.CASCADE, related_name="verdicts")
    # Null: a reviewer's own decision, which needs no second opinion.
    question = models.ForeignKey(Question, models.RESTRICT, null=True, related_name="verdicts")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="verdicts")
    answer = models.CharField(max_length=13, choices=Answer.choices)
    seconds = models.FloatField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["mask", "-created_at"], name="verdict_of_mask"),
            models.Index(fields=["by", "-created_at"], name="verdict_of_person"),
        ]


class AuditPlan(Row):
    """How much of the automatic masks people repair, and when to warn."""

    dataset = models.OneToOneField(Dataset, models.CASCADE, related_name="audit_plan")
    share = models.FloatField(default=0.0)  # of the masks, 0..1; 0: none
    rate_90 = models.FloatField(default=0.80)  # share of pairs above 0.90 IoU that is wanted
    rate_75 = models.FloatField(default=0.90)  # above 0.75
    sampled_until = models.DateTimeField(null=True)


class AuditPair(Row):
    """An automatic mask of the sample, and once somebody has seen to it, what it was worth."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="audit_pairs")
    mask = models.OneToOneField(Mask, models.CASCADE, related_name="audit")
    stage = models.CharField(max_length=16)  # of the dataset, when it was drawn
    size = models.CharField(max_length=6)  # small, medium, large
    repaired = models.OneToOneField(Mask, models.SET_NULL, null=True, related_name="+")  # null: as it was, or removed
    iou = models.FloatField(null=True)  # 1: as it was; 0: removed
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    assignment = models.ForeignKey(Assignment, models.SET_NULL, null=True, related_name="+")
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["dataset", "done_at"], name="audit_of_dataset")]
