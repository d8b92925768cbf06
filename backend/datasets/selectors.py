"""Who may see which dataset. Every other app asks here."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import Http404

from backend.accounts.models import User
from backend.datasets.models import Dataset, Image, Job, Membership, Role, WorkOrder

_RANK = {Role.ANNOTATOR: 0, Role.REVIEWER: 1, Role.ADMIN: 2}


def datasets_of(user: User) -> QuerySet[Dataset]:
    """Those that the person is a member of; all of them for a superuser."""
    datasets = Dataset.objects.order_by("-created_at")
    return datasets if user.is_superuser else datasets.filter(memberships__user=user)


@dataclass(frozen=True, slots=True)
class Part:
    """What a person is in a dataset.

    Attributes:
        role: None: no member.
        jobs: in which queues they work: all, unless an admin has named some. None for who is no member.
    """

    role: Role | None
    jobs: frozenset[Job]


def part_in(user: User, dataset_id: UUID) -> Part:
    return part_by(user, None if user.is_superuser else user.memberships.filter(dataset_id=dataset_id).first())


def memberships_of(user: User) -> dict[UUID, Membership]:
    """By dataset: for whoever asks about many, `part_by` needs no further question."""
    return {one.dataset_id: one for one in user.memberships.all()}


def part_by(user: User, membership: Membership | None) -> Part:
    if user.is_superuser:
        return Part(Role.ADMIN, frozenset(Job))
    if membership is None:
        return Part(None, frozenset())
    return Part(Role(membership.role), frozenset(Job if membership.jobs is None else map(Job, membership.jobs)))


def role_in(user: User, dataset_id: UUID) -> Role | None:
    return part_in(user, dataset_id).role


def jobs_of_member(user: User, dataset_id: UUID) -> frozenset[Job]:
    """In which queues a person works."""
    return part_in(user, dataset_id).jobs


def dataset_get(*, user: User, dataset_id: UUID, role: Role = Role.ANNOTATOR) -> Dataset:
    """
    Raises:
        Http404: there is none, or the person is no member: a stranger cannot tell which.
        PermissionDenied: a member whose role is below `role`.
    """
    # One query for both: nearly every request begins with it.
    roles = Membership.objects.filter(user=user, dataset_id=OuterRef("id")).values("role")
    dataset = Dataset.objects.annotate(own=Subquery(roles)).filter(id=dataset_id).first()
    own = None if dataset is None else Role.ADMIN if user.is_superuser else dataset.own
    if dataset is None or own is None:
        raise Http404
    if _RANK[Role(own)] < _RANK[role]:
        raise PermissionDenied(f"This needs the role {role} in the dataset; yours is {own}.")
    return dataset


def image_get(*, user: User, image_id: UUID, role: Role = Role.ANNOTATOR) -> Image:
    """A photo of a dataset that the person may see; raises as `dataset_get` does."""
    image = Image.objects.select_related("dataset").filter(id=image_id).first()
    if image is None:
        raise Http404
    dataset_get(user=user, dataset_id=image.dataset_id, role=role)
    return image


#: Photos that no model has said anything about come last, as imported. A photo's hash is as good as a lot drawn for it.
_ORDERS: dict[str, tuple[Any, ...]] = {
    WorkOrder.DOUBT: (F("doubt").desc(nulls_last=True), "created_at", "id"),
    WorkOrder.RANDOM: ("content_hash", "id"),
    WorkOrder.IMPORT: ("created_at", "id"),
}


def work_order(dataset: Dataset) -> tuple[Any, ...]:
    """In which order people draw the dataset's photos, for `order_by`."""
    return _ORDERS[dataset.work_order]
