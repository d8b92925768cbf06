"""Photos with proposals, made without a model: what a detector found is for `autolabel`'s tests."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db.models import F
from rest_framework.test import APIClient

from backend.accounts.models import User
from backend.annotation.models import Mask, MaskState, Origin
from backend.autolabel.models import Detector, Proposal, ReviewRules
from backend.datasets.models import Dataset, Image, Stage
from backend.datasets.services import dataset_stage_set
from engine import masks as run_lengths
from tests.backend.conftest import disc

AsUser = Callable[[User], APIClient]


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


@pytest.fixture
def ask(dataset: Dataset, as_user: AsUser) -> Callable[..., list[dict[str, Any]]]:
    def do(user: User, count: int = 10, besides: list[str] | None = None) -> list[dict[str, Any]]:
        body = {"count": count, "besides": besides or []}
        reply = as_user(user).post(f"/api/datasets/{dataset.id}/questions/", body, format="json")
        assert reply.status_code == 200, reply.json()
        return list(reply.json()["questions"])

    return do


@pytest.fixture
def say(as_user: AsUser) -> Callable[..., Any]:
    def do(user: User, question: str, answer: str, verdict: UUID | None = None) -> Any:
        body = {"question": question, "answer": answer, "seconds": 1.5}
        return as_user(user).put(f"/api/verdicts/{verdict or uuid4()}/", body, format="json")

    return do


@pytest.fixture
def deliver() -> Callable[[], None]:
    """Hand all events to whoever subscribed, as the worker does."""
    from datetime import timedelta

    from backend.common.models import Event
    from backend.common.services import events_sweep

    def do() -> None:
        Event.objects.filter(delivered_at__isnull=True).update(created_at=F("created_at") - timedelta(minutes=5))
        events_sweep()

    return do
