"""Pages of a long list, each found by where the one before ended: as quick at the end as at the beginning.

A page is asked for by `cursor`, or by `start`, the id of a row to begin with; rows that come or go meanwhile shift nothing.
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from backend.common.errors import InvalidInput

Row = TypeVar("Row", bound=Model)
_STRANGE = "The cursor is not one that this list gave."


@dataclass(frozen=True, slots=True)
class Order:
    """Attributes:
    field: a column, or an annotation; never null.
    """

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    rows: list[Row]
    next: str | None  # cursors
    previous: str | None


def page_of(
    rows: QuerySet[Row], order: Order, *, size: int, cursor: str | None = None, start: Row | None = None
) -> Page[Row]:
    """
    Args:
        start: a row with which the page begins, whether or not it is among `rows`; its order field must be filled.
    Raises:
        InvalidInput: the cursor is not one of ours.
    """
    after: list[Any] | None = None
    is_back = is_inclusive = False
    if cursor:
        is_back, after = _read(cursor)
    elif start is not None:
        after, is_inclusive = _key(start, order), True
    descending = order.descending != is_back
    sign = "-" if descending else ""
    found = rows.order_by(f"{sign}{order.field}", f"{sign}pk")
    if after is not None:
        try:
            found = found.filter(_beyond(order.field, after, descending, is_inclusive))
        except (ValueError, TypeError, ValidationError):  # a value that this field cannot have
            raise InvalidInput(_STRANGE) from None
    taken = list(found[: size + 1])
    has_more = len(taken) > size
    taken = taken[:size]
    if is_back:
        taken.reverse()
    before, behind = (has_more, True) if is_back else (after is not None, has_more)
    return Page(
        rows=taken,
        next=_write(False, _key(taken[-1], order)) if taken and behind else None,
        previous=_write(True, _key(taken[0], order)) if taken and before else None,
    )


def page_links(request: Request, page: Page[Any]) -> dict[str, str | None]:
    """The addresses of the pages beside this one."""

    def link(cursor: str | None) -> str | None:
        own = replace_query_param(request.build_absolute_uri(), "start", "")
        return cursor and replace_query_param(own, "cursor", cursor)

    return {"next": link(page.next), "previous": link(page.previous)}


def _beyond(field: str, after: list[Any], descending: bool, is_inclusive: bool) -> Q:
    than, (value, key) = ("lt" if descending else "gt"), after
    tie = Q(**{field: value}) & Q(**{f"pk__{than}{'e' if is_inclusive else ''}": key})
    # The first condition says nothing new, but is one that an index can begin with.
    return Q(**{f"{field}__{than}e": value}) & (Q(**{f"{field}__{than}": value}) | tie)


def _key(row: Model, order: Order) -> list[Any]:
    return [getattr(row, order.field), row.pk]


def _write(is_back: bool, key: list[Any]) -> str:
    kind = "d" if isinstance(key[0], datetime) else "v"
    text = json.dumps(["b" if is_back else "f", kind, *key], cls=_Exact)
    return base64.urlsafe_b64encode(text.encode()).decode()


class _Exact(DjangoJSONEncoder):
    """Moments to the microsecond: Django's own are cut to the millisecond, and would show a row twice."""

    def default(self, value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime) else super().default(value)


def _read(cursor: str) -> tuple[bool, list[Any]]:
    try:
        direction, kind, value, key = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if not isinstance(value, str | int | float) or "\0" in str(value):
            raise ValueError(value)
        return direction == "b", [datetime.fromisoformat(str(value)) if kind == "d" else value, UUID(key)]
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput(_STRANGE) from None
