"""People by role, a dataset, photos in it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import torch
from celery.app.task import Task
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.db.models import Model, QuerySet
from rest_framework.test import APIClient

from backend.accounts.models import User
from backend.annotation.models import Assignment
from backend.checkpoints.models import Checkpoint
from backend.common import waking
from backend.common.ids import uuid7
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


def until_somebody_waits_for_a_row() -> None:
    """Until another connection stands before what this one has locked."""
    ends_at = time.monotonic() + 20
    while time.monotonic() < ends_at:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def plan_of(rows: QuerySet[Any] | str) -> str:
    """How PostgreSQL reads them where it may not read a whole table."""
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        try:
            if not isinstance(rows, str):
                return rows.explain()
            cursor.execute(f"EXPLAIN {rows}")
            return "\n".join(line for (line,) in cursor.fetchall())
        finally:
            cursor.execute("RESET enable_seqscan")


def multiplied(image: Image, *, times: int = 500) -> list[Image]:
    """So many photos like this one, each a group of its own, and PostgreSQL knows how many they are."""
    common = {field.attname: getattr(image, field.attname) for field in Image._meta.concrete_fields}
    rows = [
        Image(**{**common, "id": uuid7(), "content_hash": f"{number}", "group": f"{number}"}) for number in range(times)
    ]
    Image.objects.bulk_create(rows)
    analyze(Image)
    return rows


def analyze(model: type[Model]) -> None:
    """How PostgreSQL reads a table depends on what it last counted there."""
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {model._meta.db_table}")


@dataclass(frozen=True)
class Call:
    """A wake-up call that a test has caught."""

    task: str
    about: str
    queue: str | None


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """What workers are called for, in order; nobody hears it."""
    caught: list[Call] = []

    def catch(self: Task, args: Any = (), kwargs: Any = None, queue: str | None = None, **_: Any) -> None:
        caught.append(Call(self.name.rpartition(".")[2], str(args[0]) if args else "", queue))

    monkeypatch.setattr(waking, "_deaf_until", 0.0)
    monkeypatch.setattr(Task, "apply_async", catch)
    return caught


@pytest.fixture
def behind(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have so many calls wait in each queue; none, to begin with."""
    from backend.autolabel import jobs
    from backend.inference import services

    def wait(number: int) -> None:
        for module in (waking, jobs, services):
            monkeypatch.setattr(module, "calls_waiting", lambda _: number)

    wait(0)
    return wait
