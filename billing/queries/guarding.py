"""What guards compare with: days before, each customer's last document, what is held already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.models import WorkItem
from billing.rules.guards import Day

WEEKS = 8
"""So many same weekdays are looked back at."""

_DAYS = text(
    """
    SELECT currency, day, documents, amount_minor FROM billing.issued_day
    WHERE seller_id = :seller AND day = ANY(SELECT CAST(:day AS date) - 7 * n FROM generate_series(0, :weeks) AS n)
    """
)

_LAST = text(
    """
    SELECT DISTINCT ON (profile_id, currency) profile_id, currency, total_minor
    FROM billing.invoice
    WHERE profile_id = ANY(:profiles) AND kind = 'invoice' AND status NOT IN ('draft', 'expired', 'void')
    ORDER BY profile_id, currency, issued_at DESC, series_no DESC
    """
)

_HOLDING = text(
    """
    SELECT w.id FROM billing.work_item w
    WHERE w.status IN ('open', 'parked')
      AND w.id IN (SELECT hold_id FROM billing.invoice
                   WHERE subscription_id = ANY(:subscriptions) AND status = 'draft' AND hold_id IS NOT NULL)
    ORDER BY w.id FOR SHARE
    """
)

_HELD = text(
    """
    SELECT DISTINCT ON (subscription_id) subscription_id, hold_id FROM billing.invoice
    WHERE subscription_id = ANY(:subscriptions) AND status = 'draft' AND hold_id = ANY(:items)
    """
)

_DUE = text(
    "SELECT count(*) FROM billing.subscription WHERE seller_id = :seller AND next_due_at <= :now AND hold_id IS NULL"
)


def days_of(session: Session, seller_id: UUID, day: date) -> tuple[dict[str, Day], list[dict[str, Day]]]:
    """By currency: this day so far, and each of the same weekdays before it on which something was issued."""
    days: dict[date, dict[str, Day]] = defaultdict(dict)
    for row in session.execute(_DAYS, {"seller": seller_id, "day": day, "weeks": WEEKS}):
        days[row.day][row.currency] = Day(row.documents, row.amount_minor)
    return days.pop(day, {}), list(days.values())


def last_totals(session: Session, profiles: Collection[UUID]) -> dict[tuple[UUID, str], int]:
    """The total of each customer's last issued invoice, by currency, minor units."""
    rows = session.execute(_LAST, {"profiles": list(profiles)})
    return {(row.profile_id, row.currency): row.total_minor for row in rows}


def held_already(session: Session, subscriptions: Collection[UUID]) -> dict[UUID, UUID]:
    """Subscriptions with drafts that a guard holds, and its work item.

    The items are locked: whoever decides on one waits, and then finds what is held by it now, too.
    """
    items = session.execute(_HOLDING, {"subscriptions": list(subscriptions)}).scalars().all()
    if not items:
        return {}
    rows = session.execute(_HELD, {"subscriptions": list(subscriptions), "items": items})
    return {row.subscription_id: row.hold_id for row in rows}


def due_count(session: Session, seller_id: UUID, now: datetime) -> int:
    """How many subscriptions of the seller are due."""
    return int(session.execute(_DUE, {"seller": seller_id, "now": now}).scalar_one())


def last_item(session: Session, *, kind: str, subject_id: UUID) -> WorkItem | None:
    """The last work item of this kind and subject, closed or not; locked as by `held_already`."""
    query = select(WorkItem).where(WorkItem.kind == kind, WorkItem.subject_id == subject_id)
    last = query.order_by(WorkItem.id.desc()).limit(1).with_for_update(read=True)
    return session.scalars(last.execution_options(populate_existing=True)).one_or_none()
