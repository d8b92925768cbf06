"""Photos with proposals, made without a model: what a detector found is for `autolabel`'s tests."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from backend.accounts.models import User
from backend.annotation.models import Mask, MaskState, Origin
from backend.autolabel.models import Detector, Proposal, ReviewRules
from backend.datasets.models import Dataset, Image, Stage
from backend.datasets.services import dataset_stage_set
from engine import masks as run_lengths
from tests.backend.conftest import disc


@pytest.fixture
def rules(dataset: Dataset) -> ReviewRules:
    """Nothing is left to chance unless a test says so."""
    return ReviewRules.objects.create(dataset=dataset, verified_twice_share=0, known_share=0)


@pytest.fixture
def semi(dataset: Dataset, admin: User, rules: ReviewRules) -> Dataset:
    dataset_stage_set(dataset=dataset, stage=Stage.SEMI_AUTOMATIC, by=admin)
    dataset.refresh_from_db()
    return dataset


@pytest.fixture
def detector(dataset: Dataset) -> Detector:
    return Detector.objects.create(dataset=dataset, encoder_hash="e", detector_hash="d", storage_key="detectors/d")


@pytest.fixture
def propose(semi: Dataset, detector: Detector) -> Callable[..., list[Mask]]:
    """So many masks on a photo that wait for a verdict."""

    def make(image: Image, count: int = 1, *, opinions: int = 1, doubt: float = 0.5) -> list[Mask]:
        masks = []
        for number in range(count):
            rle = run_lengths.encode(disc(image, x=0.2 + 0.15 * number, radius=0.3))
            x0, y0, x1, y1 = run_lengths.bbox(rle)
            mask = Mask.objects.create(
                id=uuid4(),
                image=image,
                counts=rle["counts"],
                x0=x0,
                y0=y0,
                x1=x1,
                y1=y1,
                area=run_lengths.area(rle),
                origin=Origin.PROPOSED,
                state=MaskState.PROPOSED,
                content_hash=str(number),
            )
            Proposal.objects.create(
                mask=mask,
                dataset=semi,
                image=image,
                detector=detector,
                confidence=0.8,
                doubt=doubt - number / 100,
                photo_doubt=doubt,
                shuffle=0.5,
                opinions_wanted=opinions,
                opinions_left=opinions,
            )
            masks.append(mask)
        Image.objects.filter(id=image.id).update(proposed_at=image.created_at)
        return masks

    return make
