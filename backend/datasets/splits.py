"""Which photos decide, and which ones teach.

Of every ten groups in the order of their arrival two are for the test, one is held out, the rest train: so the very
first photos of a new dataset already give it something to decide by. Photos of one group always go together.
"""

from django.db.models import F

from backend.datasets.models import Dataset, Image, Split

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


def split_take(dataset: Dataset, group: str) -> Split:
    """For a new photo: that of the group's other photos, or the next one in the pattern, which is then taken.

    The caller has read the dataset under a lock that it holds: two imports at once must not take the same place.
    """
    own = Image.objects.filter(dataset=dataset, group=group).order_by("id").values_list("split", flat=True).first()
    if own is not None:
        return Split(own)
    Dataset.objects.filter(id=dataset.id).update(groups_dealt=F("groups_dealt") + 1)
    return PATTERN[dataset.groups_dealt % len(PATTERN)]
