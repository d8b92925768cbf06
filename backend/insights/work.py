"""What one person has done."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate

from backend.accounts.models import User
from backend.annotation.models import HUMAN_ORIGINS, Assignment, Mask, State
from backend.common.clock import database_now
from backend.datasets.selectors import datasets_of

_NOTHING = {"masks": 0, "photos": 0, "seconds_per_mask": None, "clicks_per_mask": None}


def work_of(user: User, *, days: int, zone: ZoneInfo) -> dict[str, Any]:
    """By day, as the person's calendar has it: masks made, whether or not they still count; photos finished; what is open.

    A mask that one corrects oneself goes on being one mask: its seconds and clicks are those of both.
    """
    today = database_now().astimezone(zone).date()
    since = datetime.combine(today - timedelta(days=days - 1), time.min, zone)
    begun = Q(replaces=None) | ~Q(replaces__author=user)
    masks = (
        Mask.objects.filter(author=user, origin__in=HUMAN_ORIGINS, created_at__gte=since)
        .annotate(day=TruncDate("created_at", tzinfo=zone))
        .values("day")
        .annotate(masks=Count("id", filter=begun), seconds=Sum("seconds"), clicks=Sum("clicks"))
    )
    photos = (
        Assignment.objects.filter(holder=user, state=State.SUBMITTED, closed_at__gte=since)
        .annotate(day=TruncDate("closed_at", tzinfo=zone))
        .values("day")
        .annotate(photos=Count("image", distinct=True))
    )
    by_day: dict[date, dict[str, Any]] = {}
    for made in masks:
        number, seconds, clicks = made["masks"], made["seconds"], made["clicks"]
        by_day[made["day"]] = {
            **_NOTHING,
            "day": made["day"],
            "masks": number,
            "seconds_per_mask": seconds / number if number and seconds is not None else None,
            "clicks_per_mask": clicks / number if number else None,
        }
    for submitted in photos:
        by_day.setdefault(submitted["day"], {**_NOTHING}).update(submitted)
    return {
        "today": by_day.get(today, {**_NOTHING, "day": today}),
        "days": [by_day[day] for day in sorted(by_day, reverse=True)],
        "open": _open_photos(user),
    }


def _open_photos(user: User) -> list[dict[str, Any]]:
    held = (
        Assignment.objects.filter(holder=user, state=State.OPEN, image__dataset__in=datasets_of(user))
        .select_related("image__dataset")
        .annotate(own_masks=Count("masks"))
        .order_by("-created_at")
    )
    return [
        {
            "dataset": assignment.image.dataset_id,
            "dataset_name": assignment.image.dataset.name,
            "image": assignment.image_id,
            "file_name": assignment.image.file_name,
            "thumbnail_url": f"/api/images/{assignment.image_id}/thumbnail/",
            "masks": assignment.own_masks,
            "since": assignment.created_at,
        }
        for assignment in held
    ]
