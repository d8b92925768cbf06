"""Who works on which photo, and every mask there is."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from backend.checkpoints.models import Checkpoint
from backend.common.models import Row
from backend.datasets.models import Image, Job


class State(models.TextChoices):
    OPEN = "open"
    SUBMITTED = "submitted"
    SKIPPED = "skipped"
    EXPIRED = "expired"


class Assignment(Row):
    """A lease: one person has one photo, until they submit it or stop renewing."""

    image = models.ForeignKey(Image, models.CASCADE, related_name="assignments")
    holder = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="assignments")
    job = models.CharField(max_length=8, choices=Job.choices, default=Job.ANNOTATE)
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    checkpoint = models.ForeignKey(Checkpoint, models.RESTRICT, related_name="+")  # pinned at the start
    expires_at = models.DateTimeField()  # by the database's clock
    closed_at = models.DateTimeField(null=True)
    skip_reason = models.CharField(max_length=255, blank=True)
    # Whether its holder said that nothing is left to label here; null: it was not submitted.
    complete = models.BooleanField(null=True)
    tab = models.CharField(max_length=64, blank=True)  # the window of the holder's that may write; "": any

    class Meta:
        constraints = [
            # The database itself refuses to hand a photo to two people.
            models.UniqueConstraint(fields=["image"], condition=Q(state="open"), name="one_open_assignment_per_image"),
        ]
        indexes = [
            models.Index(fields=["holder", "state"], name="assignment_of_holder"),
            models.Index(fields=["expires_at"], name="assignment_expiry", condition=Q(state="open")),
        ]


class Origin(models.TextChoices):
    ASSISTED = "assisted"  # a person's prompts, the model's pixels
    BRUSH = "brush"  # pixels touched by a person
    PROPOSED = "proposed"  # the model's own, waiting for a person's verdict
    AUTOMATIC = "automatic"  # the model's own, nobody asked
    IMPORTED = "imported"  # came with the photo


class MaskState(models.TextChoices):
    """Cached; derived from verdicts and replacements. Only `ACTIVE` masks count: in training, releases and figures."""

    PROPOSED = "proposed"  # the model's own, waiting for a person's verdict
    ACTIVE = "active"
    FAULTY = "faulty"  # an object, but badly outlined: waits to be corrected, by one that `replaces` it
    REPLACED = "replaced"
    REJECTED = "rejected"


class Mask(Row):
    """One object in one photo. Geometry never changes: a correction is a new row that `replaces` this.

    `id` is made by whoever drew it, so that sending it twice leaves one row.
    """

    image = models.ForeignKey(Image, models.CASCADE, related_name="masks")
    assignment = models.ForeignKey(Assignment, models.RESTRICT, null=True, related_name="masks")
    counts = models.TextField()  # COCO compressed run lengths over (image.height, image.width)
    x0 = models.PositiveIntegerField()  # box in pixels, far edges excluded
    y0 = models.PositiveIntegerField()
    x1 = models.PositiveIntegerField()
    y1 = models.PositiveIntegerField()
    area = models.PositiveBigIntegerField()  # pixels
    origin = models.CharField(max_length=9, choices=Origin.choices)
    state = models.CharField(max_length=8, choices=MaskState.choices, default=MaskState.ACTIVE)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    checkpoint = models.ForeignKey(Checkpoint, models.RESTRICT, null=True, related_name="+")
    predicted_iou = models.FloatField(null=True)  # the model's last word; null: no model was used
    stability = models.FloatField(null=True)
    crop_box = models.JSONField(null=True)  # [x0, y0, x1, y1] that the model looked at; null: all
    prompts = models.JSONField(default=list)  # in order; see annotation.prompts for their shape
    choice = models.PositiveSmallIntegerField(null=True)  # which of the first prompt's three masks was picked, 0..2
    seconds = models.FloatField(null=True)  # of a person's time, idle time taken out
    seconds_claimed = models.FloatField(
        null=True
    )  # by the page, where more than can have passed; `seconds` is cut then
    clicks = models.PositiveIntegerField(default=0)
    # Of the masks by people that it came out of: the one that it replaces, the one which that replaced, and so on. Kept here,
    # since a walk along a million chains is too long for a figure that is looked at.
    seconds_before = models.FloatField(default=0.0, db_default=0.0)
    clicks_before = models.PositiveIntegerField(default=0, db_default=0)
    replaces = models.OneToOneField("self", models.RESTRICT, null=True, blank=True, related_name="replaced_by")
    audit_wanted = models.BooleanField(default=False, db_default=False)  # sampled: somebody shall see to it
    content_hash = models.CharField(max_length=64)  # of everything the author sent: same again or not

    class Meta:
        indexes = [
            models.Index(fields=["image", "state"], include=["origin"], name="mask_of_image"),
            models.Index(fields=["assignment"], name="mask_of_assignment"),
            models.Index(fields=["image"], name="mask_to_audit", condition=Q(audit_wanted=True)),
            models.Index(
                fields=["image"], name="mask_that_waits", condition=Q(state__in=(MaskState.PROPOSED, MaskState.FAULTY))
            ),
            models.Index(fields=["author", "created_at"], name="mask_of_author"),
            # The audit reads on from where it was.
            models.Index(fields=["created_at"], name="mask_automatic", condition=Q(origin="automatic")),
            # The dashboard's curves are read from this alone; known answers are drawn from its newest.
            models.Index(
                fields=["created_at"],
                include=["image", "origin", "seconds", "clicks", "author", "seconds_before", "clicks_before"],
                name="mask_by_people",
                condition=Q(origin__in=("assisted", "brush", "imported"), state="active"),
            ),
        ]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1) in pixels, far edges excluded."""
        return self.x0, self.y0, self.x1, self.y1


#: Masks that a person made or finished; the others are the model's own.
HUMAN_ORIGINS = (Origin.ASSISTED, Origin.BRUSH, Origin.IMPORTED)
#: Those, and what a model proposed and a person accepted: of a proposal that counts somebody has said so. In SAM's data engine
#: the first two stages' masks, which training draws ten times as often as what nobody has looked at.
CHECKED_ORIGINS = (*HUMAN_ORIGINS, Origin.PROPOSED)
