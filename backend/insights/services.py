"""The first start: an admin, the default model, and something to look at."""

from django.db import transaction

from backend.accounts.models import User
from backend.checkpoints.services import deployment_ensure
from backend.datasets.models import Dataset
from backend.datasets.services import dataset_create, image_import
from backend.insights.demo import DEMO_PHOTOS

DEMO_NAME = "Demo"
GUIDELINES = """\
Outline each thing that you could name or point at: whole objects, their parts, collections, and stuff such as sky or grass.

- Begin with what stands out most, then go on to smaller things.
- If one outline takes you over 30 seconds, leave it and go on.
- Small faults along an edge do no harm; bleeding into a neighbour or missing a part does.
"""


@transaction.atomic
def admin_ensure(*, password: str) -> User:
    """The person named admin; made with this password where there is none."""
    admin = User.objects.filter(username="admin").first()
    return admin or User.objects.create_superuser("admin", password=password)


def demo_ensure(*, owner: User) -> Dataset:
    """The demo dataset, once. So small that the gate may decide by two photos and two masks."""
    dataset = Dataset.objects.filter(created_by=owner, name=DEMO_NAME).first()
    if dataset is None:
        dataset = dataset_create(
            creator=owner, name=DEMO_NAME, guidelines=GUIDELINES, test_images_wanted=2, test_masks_wanted=2
        )
    deployment_ensure(dataset=dataset)
    for photo in DEMO_PHOTOS:
        image_import(
            dataset=dataset,
            file_name=photo.file_name,
            content=photo.content(),
            by=owner,
            licence=photo.licence,
            attribution=photo.attribution,
            source="scikit-image",
        )
    return dataset
