"""Datasets, who belongs to them, and their photos."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from backend.common.models import Row


class Stage(models.TextChoices):
    """The three stages of the data engine (Segment Anything, section 4)."""

    ASSISTED = "assisted"
    SEMI_AUTOMATIC = "semi_automatic"
    AUTOMATIC = "automatic"


class Role(models.TextChoices):
    """What a member may do; each may do what the ones before it may."""

    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    ADMIN = "admin"


class Job(models.TextChoices):
    """What there is to do for people, each with a queue of its own."""

    ANNOTATE = "annotate"
    VERIFY = "verify"
    COMPLETE = "complete"
    CORRECT = "correct"
    AUDIT = "audit"


class WorkOrder(models.TextChoices):
    """What people see first: of photos to be drawn, and of proposals to be verified."""

    DOUBT = "doubt"  # where the model is least sure, and where it was corrected most
    RANDOM = "random"
    IMPORT = "import"  # as the photos came


class Split(models.TextChoices):
    """What a photo's masks are used for.

    `TEST` decides which checkpoint goes live and is never trained on. `HOLDOUT` is not looked at
    by the gate either: it tells whether the gate fools itself.
    """

    TRAIN = "train"
    TEST = "test"
    HOLDOUT = "holdout"


class Dataset(Row):
    name = models.CharField(max_length=120)
    stage = models.CharField(max_length=16, choices=Stage.choices, default=Stage.ASSISTED)
    guidelines = models.TextField(blank=True)  # Markdown, shown to annotators
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    # How much human evidence the gate wants before it decides; the queue hands out test photos
    # first until there is that much.
    test_images_wanted = models.PositiveIntegerField(default=20, validators=[MinValueValidator(1)])
    test_masks_wanted = models.PositiveIntegerField(default=100, validators=[MinValueValidator(1)])
    work_order = models.CharField(max_length=6, choices=WorkOrder.choices, default=WorkOrder.DOUBT)
    # How many groups its photos came in: counting them among millions, for each photo that is imported, would take too long.
    groups_dealt = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["created_by", "name"], name="dataset_name_per_creator"),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(Row):
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    # In which queues the person works; null: in all that there are.
    jobs = ArrayField(models.CharField(max_length=8, choices=Job.choices), null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "user"], name="one_role_per_member"),
        ]


class Image(Row):
    """A photo. Coordinates everywhere are in its upright frame: EXIF orientation applied."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="images")
    file_name = models.CharField(max_length=255)  # as it was uploaded, without folders
    content_hash = models.CharField(max_length=64)  # SHA-256 of the original bytes, hex
    original_key = models.CharField(max_length=255)  # the bytes exactly as they came
    display_key = models.CharField(max_length=255)  # upright 8-bit RGB; the original where it is that
    thumbnail_key = models.CharField(max_length=255)  # JPEG, longest side 256 px
    media_type = models.CharField(max_length=32)  # of display_key: image/jpeg or image/png
    width = models.PositiveIntegerField()  # pixels, upright
    height = models.PositiveIntegerField()  # pixels, upright
    byte_size = models.PositiveBigIntegerField()  # of the original
    group = models.CharField(max_length=255)  # scene, video, near-duplicates: split as one
    split = models.CharField(max_length=8, choices=Split.choices)
    licence = models.CharField(max_length=120, blank=True)
    attribution = models.TextField(blank=True)
    source = models.CharField(max_length=255, blank=True)  # where it came from, for people
    # When a person first submitted it. Kept here, not derived, because the queue asks for "the next
    # photo without it" among millions.
    annotated_at = models.DateTimeField(null=True)
    # When the newest submission said that nothing is left to label here; null: nobody says so. Cached from assignments, and
    # cleared where a mask is removed by hand: a photo wrongly taken for complete teaches that its objects are background.
    complete_at = models.DateTimeField(null=True)
    # When a model's proposals for it were stored, perhaps none: it then waits to be verified and completed.
    proposed_at = models.DateTimeField(null=True)
    # 0..1: how unsure a model was of what it found here, and how often its like was corrected; null: none has said anything.
    doubt = models.FloatField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "content_hash"], name="image_once_per_dataset"),
        ]
        indexes = [
            models.Index(fields=["dataset", "created_at", "id"], name="image_in_order"),
            models.Index(fields=["dataset", "file_name", "id"], name="image_by_name"),
            models.Index(fields=["dataset", "source"], name="image_by_source", condition=~Q(source="")),
            models.Index(fields=["dataset", "group", "id"], name="image_of_group"),
            models.Index(
                fields=["dataset", "split", "created_at", "id"],
                name="image_not_annotated",
                condition=Q(annotated_at__isnull=True),
            ),
            models.Index(fields=["dataset", "split"], name="image_annotated", condition=Q(annotated_at__isnull=False)),
            # The other orders of work.
            models.Index(
                "dataset",
                F("doubt").desc(nulls_last=True),
                "created_at",
                "id",
                name="image_by_doubt",
                condition=Q(annotated_at__isnull=True),
            ),
            models.Index(
                fields=["dataset", "content_hash", "id"],
                name="image_at_random",
                condition=Q(annotated_at__isnull=True),
            ),
            # Those that are to be completed.
            models.Index(
                fields=["dataset"],
                name="image_to_complete",
                condition=Q(annotated_at__isnull=True, proposed_at__isnull=False),
            ),
        ]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels, upright."""
        return self.height, self.width


class Invitation(Row):
    """A link with which one person may join. The link itself is known only to who made it: here is its hash."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=16, choices=Role.choices)
    note = models.CharField(max_length=120, blank=True)  # whom it is for, in the words of who made it
    token_hash = models.CharField(max_length=64, unique=True)  # SHA-256, hex
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()  # by the database's clock
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")


class ImportState(models.TextChoices):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # the bucket could not be read; `error` says why
    CANCELLED = "cancelled"


class S3Import(Row):
    """Photos fetched from under a prefix, key after key in S3's order. `cursor` is the last one that was looked at."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="s3_imports")
    source = models.CharField(max_length=120)  # a name in the server's S3_SOURCES, where its address is
    bucket = models.CharField(max_length=63)
    prefix = models.CharField(max_length=1024, blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    state = models.CharField(max_length=9, choices=ImportState.choices, default=ImportState.RUNNING)
    cursor = models.CharField(max_length=1024, blank=True)
    imported = models.PositiveIntegerField(default=0)
    already_there = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)  # to reach the bucket, since it last answered
    # Whoever works on it says so; silence means that the worker died.
    worker = models.UUIDField(null=True)
    heard_at = models.DateTimeField(null=True)  # by the database's clock
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset"], condition=Q(state="running"), name="one_s3_import_at_a_time"),
        ]


class S3ImportRefusal(Row):
    """An object that became no photo, and why."""

    s3_import = models.ForeignKey(S3Import, models.CASCADE, related_name="refusals")
    key = models.CharField(max_length=1024)
    message = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["s3_import", "key"], name="one_refusal_per_key")]
