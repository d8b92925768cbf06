"""Which photos decide, and which ones teach.

Of every ten groups in the order of their arrival two are for the test, one is held out, the rest train: so the very
first photos of a new dataset already give it something to decide by. Photos of one group always go together.
"""

from uuid import UUID

from backend.datasets.models import Image, Split

#: By the rank of a group within its ten. The third photo is the first to test: two to learn from come before.
PATTERN = (
    Split.TRAIN,
    Split.TRAIN,
    Split.TEST,
    Split.TRAIN,
    Split.TRAIN,
    Split.HOLDOUT,
    Split.TRAIN,
    Split.TEST,
    Split.TRAIN,
    Split.TRAIN,
)


def split_for(dataset_id: UUID, group: str) -> Split:
    """That of the group's other photos, or the next one in the pattern.

    The caller holds a lock on the dataset: two imports at once must not take the same place.
    """
    own = Image.objects.filter(dataset_id=dataset_id, group=group).values_list("split", flat=True).first()
    if own is not None:
        return Split(own)
    groups = Image.objects.filter(dataset_id=dataset_id).values("group").distinct().count()
    return PATTERN[groups % len(PATTERN)]
