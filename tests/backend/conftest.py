"""People by role, a dataset, photos in it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import torch
from django.contrib.auth.hashers import make_password
from rest_framework.test import APIClient

from backend.accounts.models import User
from backend.annotation.models import Assignment
from backend.checkpoints.models import Checkpoint
from backend.datasets.models import Dataset, Image, Role, Split
from backend.datasets.services import dataset_create, image_import, member_set
from engine import masks as run_lengths


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the smallest model, its weights random; to be read only."""
    from engine.model.build import build_model
    from engine.model.checkpoint import save_checkpoint

    torch.manual_seed(7)
    file = tmp_path_factory.mktemp("weights") / "debug.safetensors"
    save_checkpoint(build_model("maskloop_debug"), file, recipe="none")
    file.chmod(0o444)
    return file


@pytest.fixture(autouse=True)
def _small_default_model(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a new dataset begins with, here, is the smallest model."""
    from engine import api

    monkeypatch.setattr(api, "DEFAULT_CHECKPOINT", tiny_weights)


#: Of everybody here.
PASSWORD = "a password of some length"


def person(name: str) -> User:
    return User.objects.create(username=name, password=_stored_password())


@cache
def _stored_password() -> str:
    """Hashing is slow, as it should be: done for each person of each test, it took half of the tests' time."""
    return make_password(PASSWORD)


@pytest.fixture
def admin(db: None) -> User:
    return person("admin of the dataset")


@pytest.fixture
def dataset(admin: User) -> Dataset:
    return dataset_create(creator=admin, name="Street", test_images_wanted=1, test_masks_wanted=1)


@pytest.fixture
def annotator(dataset: Dataset, admin: User) -> User:
    return member(dataset, admin, "annotator", Role.ANNOTATOR)


@pytest.fixture
def reviewer(dataset: Dataset, admin: User) -> User:
    return member(dataset, admin, "reviewer", Role.REVIEWER)


@pytest.fixture
def stranger(db: None) -> User:
    return person("stranger")


def member(dataset: Dataset, admin: User, name: str, role: Role) -> User:
    user = person(name)
    member_set(dataset=dataset, username=name, role=role, by=admin)
    return user


@pytest.fixture
def as_user() -> Callable[[User], APIClient]:
    def client(user: User) -> APIClient:
        made = APIClient()
        made.force_authenticate(user)
        return made

    return client


@pytest.fixture
def add_photo(dataset: Dataset, jpeg: Callable[..., bytes]) -> Callable[..., Image]:
    def add(seed: int = 0, split: Split = Split.TRAIN, **options: Any) -> Image:
        image, _ = image_import(
            dataset=dataset, file_name=f"photo {seed}.jpg", content=jpeg(seed=seed, **options), by=dataset.created_by
        )
        Image.objects.filter(id=image.id).update(split=split)
        image.refresh_from_db()
        return image

    return add


@pytest.fixture
def photo(add_photo: Callable[..., Image]) -> Image:
    return add_photo()


@pytest.fixture
def take(dataset: Dataset, as_user: Callable[[User], APIClient]) -> Callable[[User], Assignment]:
    """Ask for work as a person does."""

    def ask(user: User) -> Assignment:
        reply = as_user(user).post(f"/api/datasets/{dataset.id}/assignments/", {"besides": []}, format="json")
        assert reply.status_code == 200, reply.json()
        return Assignment.objects.get(id=reply.json()["assignment"]["id"])

    return ask


def disc(image: Image, *, x: float = 0.5, y: float = 0.5, radius: float = 0.2) -> np.ndarray:
    """A mask of a photo's size."""
    ys, xs = np.mgrid[: image.height, : image.width]
    reach = radius * min(image.height, image.width)
    return (xs - x * image.width) ** 2 + (ys - y * image.height) ** 2 < reach**2


def mask_body(assignment: Assignment, mask: np.ndarray | None = None, /, **changes: Any) -> dict[str, Any]:
    """What the page sends for a mask."""
    rle = run_lengths.encode(disc(assignment.image) if mask is None else mask)
    return {
        "assignment": str(assignment.id),
        "size": list(rle["size"]),
        "counts": rle["counts"],
        "origin": "assisted",
        "prompts": [{"kind": "point", "at": [30.5, 20.5], "label": 1}],
        "predicted_iou": 0.8,
        "stability": 0.9,
        "choice": 0,
        "seconds": 3.5,
        "clicks": 1,
        "replaces": None,
        **changes,
    }


@pytest.fixture
def label(take: Callable[[User], Assignment], as_user: Callable[[User], APIClient]) -> Callable[..., Image]:
    """Take the next photo, put masks on it, submit it."""

    def do(user: User, masks: int = 1) -> Image:
        assignment = take(user)
        ids = []
        for number in range(masks):
            ids.append(str(uuid4()))
            body = mask_body(assignment, disc(assignment.image, x=0.3 + 0.2 * number))
            assert as_user(user).put(f"/api/masks/{ids[-1]}/", body, format="json").status_code == 201
        reply = as_user(user).post(f"/api/assignments/{assignment.id}/submit/", {"masks": ids}, format="json")
        assert reply.status_code == 204, reply.content
        return assignment.image

    return do


@pytest.fixture
def live(dataset: Dataset) -> Checkpoint:
    from backend.checkpoints.services import deployment_ensure

    return deployment_ensure(dataset=dataset)
