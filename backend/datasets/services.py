"""What people do with datasets, members and photos."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from backend.accounts.models import User
from backend.common.errors import DomainError
from backend.common.events import event_record
from backend.common.keeping import keep_bytes
from backend.common.storage import get_storage
from backend.datasets.errors import LastAdmin, NameTaken, NoSuchUser
from backend.datasets.imaging import read_photo
from backend.datasets.models import Dataset, Image, Job, Membership, Role, Stage
from backend.datasets.splits import split_take


@transaction.atomic
def dataset_create(*, creator: User, name: str, **fields: Any) -> Dataset:
    """A new dataset; whoever makes it is its admin.

    Raises:
        NameTaken: the person has one of this name.
    """
    try:
        with transaction.atomic():
            dataset = Dataset.objects.create(created_by=creator, name=name, **fields)
    except IntegrityError:
        raise NameTaken(f"You have a dataset named {name} already.") from None
    Membership.objects.create(dataset=dataset, user=creator, role=Role.ADMIN)
    event_record("dataset.created", subject=dataset.id, dataset=dataset.id, by=creator)
    return dataset


@transaction.atomic
def dataset_update(*, dataset_id: UUID, by: User, **fields: Any) -> Dataset:
    """
    Raises:
        NameTaken: the creator has another one of this name.
    """
    dataset = Dataset.objects.select_for_update().get(id=dataset_id)
    for name, value in fields.items():
        setattr(dataset, name, value)
    try:
        with transaction.atomic():
            dataset.save(update_fields=list(fields))
    except IntegrityError:
        raise NameTaken(f"There is a dataset named {dataset.name} already.") from None
    event_record("dataset.changed", subject=dataset.id, dataset=dataset.id, by=by, fields=sorted(fields))
    return dataset


@transaction.atomic
def dataset_stage_set(*, dataset: Dataset, stage: Stage, by: User) -> None:
    """Move a dataset to another stage of the data engine; back is as well as forth. What was made stays."""
    locked = Dataset.objects.select_for_update().get(id=dataset.id)
    if locked.stage == stage:
        return
    before = locked.stage
    Dataset.objects.filter(id=dataset.id).update(stage=stage)
    event_record(
        "dataset.stage_changed", subject=dataset.id, dataset=dataset.id, by=by, before=str(before), stage=str(stage)
    )


@transaction.atomic
def member_set(*, dataset: Dataset, username: str, role: Role, by: User) -> Membership:
    """Make somebody a member, or change what they may do.

    Raises:
        NoSuchUser: nobody has this name.
        LastAdmin: the dataset would be left without an admin.
    """
    user = User.objects.filter(username=username).first()
    if user is None:
        raise NoSuchUser(f"Nobody is named {username}.")
    Dataset.objects.select_for_update().get(id=dataset.id)
    if role != Role.ADMIN:
        _keep_an_admin(dataset, besides=user)
    membership, _ = Membership.objects.update_or_create(dataset=dataset, user=user, defaults={"role": role})
    event_record("member.set", subject=user.id, dataset=dataset.id, by=by, role=str(role))
    return membership


@transaction.atomic
def member_jobs_set(*, dataset: Dataset, user_id: UUID, jobs: Collection[Job] | None, by: User) -> Membership:
    """Say in which queues a person works. What they have in hand they finish.

    Args:
        jobs: None: in all queues.
    Raises:
        Membership.DoesNotExist: not a member.
    """
    membership = (
        Membership.objects.select_for_update(of=("self",)).select_related("user").get(dataset=dataset, user_id=user_id)
    )
    named = None if jobs is None else [job for job in Job if job in jobs]
    membership.jobs = None if named == list(Job) else named
    membership.save(update_fields=["jobs"])
    event_record("member.jobs_set", subject=user_id, dataset=dataset.id, by=by, jobs=membership.jobs)
    return membership


@transaction.atomic
def member_remove(*, dataset: Dataset, user_id: UUID, by: User) -> None:
    """
    Raises:
        LastAdmin: see `member_set`.
        Membership.DoesNotExist: not a member.
    """
    Dataset.objects.select_for_update().get(id=dataset.id)
    membership = Membership.objects.select_related("user").get(dataset=dataset, user_id=user_id)
    _keep_an_admin(dataset, besides=membership.user)
    membership.delete()
    event_record("member.removed", subject=user_id, dataset=dataset.id, by=by)


def _keep_an_admin(dataset: Dataset, *, besides: User) -> None:
    admins = Membership.objects.filter(dataset=dataset, role=Role.ADMIN)
    if admins.filter(user=besides).exists() and not admins.exclude(user=besides).exists():
        raise LastAdmin(f"{besides.username} is the only admin of this dataset; make somebody else one first.")


@dataclass(slots=True)
class ImportReport:
    """What became of each file. One bad file does not lose the others."""

    imported: list[Image] = field(default_factory=list)
    already_there: list[Image] = field(default_factory=list)
    refused: list[tuple[str, DomainError]] = field(default_factory=list)


def images_import(
    *,
    dataset: Dataset,
    files: Iterable[tuple[str, bytes | DomainError]],
    by: User | None,
    licence: str = "",
    attribution: str = "",
    source: str = "",
    group: str | None = None,
) -> ImportReport:
    """Take each file on its own: a path and its content, or why it could not even be read.

    Args:
        group: scene that all files belong to; None: each photo is its own.
    """
    report = ImportReport()
    for path, content in files:
        if isinstance(content, DomainError):
            report.refused.append((path, content))
            continue
        try:
            image, is_new = image_import(
                dataset=dataset,
                file_name=path,
                content=content,
                by=by,
                licence=licence,
                attribution=attribution,
                source=source,
                group=group,
            )
        except DomainError as refusal:
            report.refused.append((path, refusal))
        else:
            (report.imported if is_new else report.already_there).append(image)
    return report


def image_import(
    *,
    dataset: Dataset,
    file_name: str,
    content: bytes,
    by: User | None,
    licence: str = "",
    attribution: str = "",
    source: str = "",
    group: str | None = None,
) -> tuple[Image, bool]:
    """Store one photo; the same content twice in a dataset is one photo.

    Returns:
        The photo, and whether it is new.
    Raises:
        PhotoRefused: see `imaging.read_photo`. Nothing is stored then.
    """
    content_hash = hashlib.sha256(content).hexdigest()
    existing = Image.objects.filter(dataset=dataset, content_hash=content_hash).first()
    if existing is not None:
        return existing, False
    photo = read_photo(content, file_name)
    storage = get_storage()
    original_key = f"images/{content_hash}"
    display_key = original_key if photo.display is None else f"display/{content_hash}"
    thumbnail_key = f"thumbnails/{content_hash}.jpg"
    contents = {original_key: content, thumbnail_key: photo.thumbnail}
    if photo.display is not None:
        contents[display_key] = photo.display
    # Bytes first: a row never points at nothing. Bytes without a row are swept away some day.
    for key, its_bytes in contents.items():
        storage.put(key, its_bytes)
    with transaction.atomic():
        locked = Dataset.objects.select_for_update(no_key=True).get(id=dataset.id)  # splits are dealt one by one
        existing = Image.objects.filter(dataset=dataset, content_hash=content_hash).first()
        if existing is not None:  # another import was faster
            return existing, False
        keep_bytes(contents)
        group_name = content_hash if group is None else group
        image = Image.objects.create(
            dataset=dataset,
            content_hash=content_hash,
            file_name=PurePath(file_name.replace("\\", "/")).name[-255:],
            original_key=original_key,
            display_key=display_key,
            thumbnail_key=thumbnail_key,
            media_type=photo.media_type,
            width=photo.width,
            height=photo.height,
            byte_size=len(content),
            group=group_name,
            split=split_take(locked, group_name),
            licence=licence,
            attribution=attribution,
            source=source,
        )
        event_record("image.imported", subject=image.id, dataset=dataset.id, by=by)
    return image, True
