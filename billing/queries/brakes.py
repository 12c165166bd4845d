"""Brakes: whether charging or issuing is stopped for a row, and which brakes are in force."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from billing.kernel.clock import format_instant
from billing.kernel.errors import Fault, Refused
from billing.kernel.work import WorkKind
from billing.models import Brake
from billing.queries.operations.paging import Facts, read_all


class BrakeKind(StrEnum):
    """What a brake stops."""

    COLLECT = "collect"
    ISSUE = "issue"


def moves(kind: BrakeKind, row: str, *, profile: str = "profile_id") -> str:
    """An SQL condition: no brake of this kind holds `row`, an alias with `seller_id` and a profile's id.

    The first half doesn't depend on the row: while everything is stopped, nothing is scanned.
    """
    return f"""NOT EXISTS (
        SELECT FROM billing.brake e WHERE e.kind = '{kind}' AND e.released_at IS NULL AND e.seller_id IS NULL)
      AND NOT EXISTS (
        SELECT FROM billing.brake b WHERE b.kind = '{kind}' AND b.released_at IS NULL
          AND b.seller_id = {row}.seller_id AND (b.profile_id IS NULL OR b.profile_id = {row}.{profile}))"""  # noqa: S608 (our own words)


_MOVING = {
    kind: text(f"SELECT p.id FROM billing.profile p WHERE p.id = ANY(:ids) AND {moves(kind, 'p', profile='id')}")  # noqa: S608 (our own words)
    for kind in BrakeKind
}


def moving(session: Session, kind: BrakeKind, profiles: Sequence[UUID]) -> list[UUID]:
    """Those of the profiles that no brake of this kind holds, in the order given."""
    free = set(session.execute(_MOVING[kind], {"ids": list(profiles)}).scalars())
    return [id_ for id_ in profiles if id_ in free]


def require_issuing(session: Session, profile_id: UUID) -> None:
    """Raise `Refused` (`issuing_stopped`) where a brake on issuing holds the customer."""
    if not moving(session, BrakeKind.ISSUE, [profile_id]):
        mend = "start again with `billing issue start`, or wait until it is"
        raise Refused(Fault("brake", WorkKind.ISSUING_STOPPED, mend))


STOPPED = {BrakeKind.COLLECT: WorkKind.COLLECTING_STOPPED, BrakeKind.ISSUE: WorkKind.ISSUING_STOPPED}
"""Code of a refusal, and kind of the brake's work item."""

_IN_FORCE = text(
    """
    SELECT b.id, b.kind, s.code AS seller, p.account_id, b.actor, b.reason, b.stopped_at
    FROM billing.brake b
    LEFT JOIN billing.seller s ON s.id = b.seller_id
    LEFT JOIN billing.profile p ON p.id = b.profile_id
    WHERE b.released_at IS NULL ORDER BY b.id
    """
)


def brakes_in_force(session: Session) -> list[Row[Any]]:
    """What is stopped, for whom, since when (business time), by whom and why; oldest first."""
    return list(session.execute(_IN_FORCE).all())


_OF_PROFILE = """
SELECT b.kind, CASE WHEN b.profile_id IS NOT NULL THEN 'customer' WHEN b.seller_id IS NOT NULL THEN 'seller'
                    ELSE 'everything' END AS scope,
       b.stopped_at, b.actor, b.reason
FROM billing.profile p
JOIN billing.brake b ON b.released_at IS NULL
  AND (b.seller_id IS NULL OR b.seller_id = p.seller_id AND (b.profile_id IS NULL OR b.profile_id = p.id))
WHERE p.id = :id ORDER BY b.kind, b.id
"""


def brakes_holding(session: Session, profile_id: UUID) -> list[Facts]:
    """What is stopped for a customer: `kind`, and whether for them alone, their seller or everything."""
    return read_all(session, _OF_PROFILE, {"id": profile_id})


def told_of(row: Row[Any]) -> str:
    """One of `brakes_in_force` in a line."""
    whom = f"customer {row.account_id}" if row.account_id else f"seller {row.seller}" if row.seller else "everything"
    since = format_instant(row.stopped_at.replace(microsecond=0))
    return f"stopped for {whom} since {since} by {row.actor}: {row.reason}"


def lock_brake(session: Session, kind: BrakeKind, *, seller_id: UUID | None, profile_id: UUID | None) -> Brake | None:
    """The brake in force of exactly this scope, locked; None where there is none."""
    query = select(Brake).where(
        Brake.kind == kind,
        Brake.released_at.is_(None),
        Brake.seller_id.is_not_distinct_from(seller_id),
        Brake.profile_id.is_not_distinct_from(profile_id),
    )
    return session.scalars(query.with_for_update()).one_or_none()
