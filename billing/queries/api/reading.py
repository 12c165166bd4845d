"""Reading for the API: one thing of the seller, or a page that goes on after a place in a stable order."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.queries.operations.paging import Facts, read_all


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows in their order, and the cursor of what follows; null at the end."""

    rows: list[Facts]
    next: str | None


def page_by_id(session: Session, statement: str, values: Mapping[str, Any], *, after: str | None, limit: int) -> Slice:
    """Newest first: the statement takes `:after` (a UUID, or null), and `:limit`. Raises `Refused` (`not_a_cursor`)."""
    return _page(session, statement, {**values, "after": id_after(after)}, limit=limit, by="id")


def page_by(
    session: Session, statement: str, values: Mapping[str, Any], *, after: str | None, limit: int, by: str
) -> Slice:
    """In the order of the column `by`, a text that is unique for the seller. Raises `Refused` (`not_a_cursor`)."""
    place = None if after is None else _read(after)
    return _page(session, statement, {**values, "after": place}, limit=limit, by=by)


def id_after(after: str | None) -> UUID | None:
    """The id in a cursor. Raises `Refused` (`not_a_cursor`)."""
    return None if after is None else _as_id(_read(after))


def cursor(place: str) -> str:
    """A place in a list, as a word without a meaning of its own."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _page(session: Session, statement: str, values: Mapping[str, Any], *, limit: int, by: str) -> Slice:
    rows = read_all(session, statement, {**values, "limit": limit + 1})
    more = len(rows) > limit
    return Slice(rows[:limit], cursor(str(rows[limit - 1][by])) if more else None)


def _read(given: str) -> str:
    try:
        place = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        raise _no_cursor() from None
    if "\0" in place:
        raise _no_cursor()
    return place


def _as_id(place: str) -> UUID:
    try:
        return UUID(place)
    except ValueError:
        raise _no_cursor() from None


def _no_cursor() -> Refused:
    return Refused(Fault("after", "not_a_cursor", "give the `next` of a page, as it was given"))
