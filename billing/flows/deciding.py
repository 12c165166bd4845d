"""Deciding about what a guard holds: release it, merge it, skip what was missed, or discard it.

A guard may hold a whole day of a large seller, so each step is one statement over all that an item holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.invoice.let_wait import keep_credits, let_wait
from billing.db.rows import change, fetch
from billing.flows.drafts import resum_all
from billing.flows.guarding import DAY, SUBSCRIPTION, count_released
from billing.flows.parts import Parts
from billing.kernel.status import InvoiceStatus, PeriodDisposition
from billing.models import Invoice, Profile

KINDS = (DAY, SUBSCRIPTION)

Decision = Callable[[Parts, Session, UUID], str]
"""Carries it out for all drafts of a work item, within the caller's transaction; returns what was done."""

_LET_GO = """
    UPDATE billing.invoice SET hold_id = NULL, version = version + 1, updated_at = clock_timestamp()
    WHERE hold_id = %(item)s AND status = 'draft'
    RETURNING seller_id, currency, total_minor
"""
_DROP = """
    UPDATE billing.invoice
    SET status = 'expired', hold_id = NULL, version = version + 1, updated_at = clock_timestamp()
    WHERE hold_id = %(item)s AND status = 'draft'
      AND (%(only)s::uuid[] IS NULL OR id = ANY(%(only)s::uuid[]))
"""
# Of each subscription the last draft takes up the earlier ones.
_EARLIER = """
    SELECT id, last_id, starts_at FROM (
        SELECT id, last_value(id) OVER of AS last_id, first_value(period_start) OVER of AS starts_at
        FROM billing.invoice
        WHERE hold_id = %(item)s AND status = 'draft' AND subscription_id IS NOT NULL
        WINDOW of AS (PARTITION BY subscription_id ORDER BY period_start, id
                      ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) each
    WHERE id <> last_id
    ORDER BY id
"""
_ROOM = 1_000_000
"""Places for the lines that come before a draft's own: more than a document has."""
_MAKE_ROOM = f"UPDATE billing.invoice_line SET position = position + {_ROOM} WHERE invoice_id = ANY(%(lasts)s)"  # noqa: S608
_TAKE_LINES = """
    WITH taken AS (
        SELECT l.id, i.last_id,
            row_number() OVER (PARTITION BY i.last_id ORDER BY i.period_start, i.id, l.position) AS position
        FROM (SELECT d.id, d.period_start, coalesce(e.last_id, d.id) AS last_id
              FROM billing.invoice d
              LEFT JOIN unnest(%(ids)s::uuid[], %(last_ids)s::uuid[]) AS e(id, last_id) ON e.id = d.id
              WHERE d.id = ANY(%(ids)s::uuid[] || %(lasts)s::uuid[])) i
        JOIN billing.invoice_line l ON l.invoice_id = i.id
        WHERE i.id = i.last_id OR l.kind = ANY(%(kinds)s))
    UPDATE billing.invoice_line l SET invoice_id = t.last_id, position = t.position
    FROM taken t WHERE t.id = l.id
"""
_MERGE_PERIODS = """
    UPDATE billing.billing_period p
    SET invoice_id = e.last_id
    FROM unnest(%(ids)s::uuid[], %(last_ids)s::uuid[]) AS e(id, last_id) JOIN billing.invoice i ON i.id = e.id
    WHERE p.subscription_id = i.subscription_id AND p.invoice_id = i.id
"""
_SKIP_PERIODS = f"""
    UPDATE billing.billing_period p
    SET invoice_id = NULL, disposition = '{PeriodDisposition.SKIPPED}'
    FROM billing.invoice i
    WHERE i.hold_id = %(item)s AND i.status = 'draft' AND (%(only)s::uuid[] IS NULL OR i.id = ANY(%(only)s::uuid[]))
      AND p.subscription_id = i.subscription_id AND p.invoice_id = i.id
"""  # noqa: S608 (our own text)
# What a change has given back of a line that is never billed was never owed.
_DROP_CREDITS_ON_DRAFTS = """
    DELETE FROM billing.invoice_line c USING billing.invoice_line l, billing.invoice d
    WHERE l.invoice_id = ANY(%(dropped)s) AND c.credits_line_id = l.id AND d.id = c.invoice_id AND d.status = 'draft'
      AND NOT d.id = ANY(%(dropped)s)
    RETURNING c.invoice_id
"""
_DROP_CREDITS_THAT_WAIT = """
    DELETE FROM billing.waiting_line c USING billing.invoice_line l
    WHERE l.invoice_id = ANY(%(dropped)s) AND c.credits_line_id = l.id
"""
# What was issued has given a part of these back: without them, somebody keeps credit for what they were never charged.
# Others bear what is given back of what was issued, and their subscriptions have ended: no document follows with it.
_HELD = """
    SELECT d.id,
        EXISTS (
            SELECT FROM billing.invoice_line l
            JOIN billing.invoice_line c ON c.credits_line_id = l.id
            JOIN billing.invoice n ON n.id = c.invoice_id AND n.number IS NOT NULL
            WHERE l.invoice_id = d.id)
        OR (s.next_due_at IS NULL AND EXISTS (
            SELECT FROM billing.invoice_line l
            WHERE l.invoice_id = d.id AND l.kind = 'proration_credit' AND l.credits_issued)) AS needed
    FROM billing.invoice d LEFT JOIN billing.subscription s ON s.id = d.subscription_id
    WHERE d.hold_id = %(item)s AND d.status = 'draft'
"""
_BEGIN_SOONER = """
    UPDATE billing.invoice i SET period_start = e.starts_at
    FROM unnest(%(last_ids)s::uuid[], %(starts)s::timestamptz[]) AS e(last_id, starts_at) WHERE i.id = e.last_id
"""

_WAITED = ("usage", "one_off", "proration_credit", "proration_charge")
"""Kinds of lines that are due although the period that they stand beside is skipped."""


def lock_customers(session: Session, item_id: UUID) -> None:
    """Lock the customers of all that the item holds, in the order of their ids."""
    held = select(Invoice.profile_id).where(Invoice.hold_id == item_id, Invoice.status == InvoiceStatus.DRAFT)
    query = select(Profile.id).where(Profile.id.in_(held)).order_by(Profile.id)
    session.scalars(query.with_for_update(key_share=True)).all()


def release(parts: Parts, session: Session, item_id: UUID) -> str:
    """Let them be issued as they are, by the next sweep."""
    return f"{_let_go(parts, session, item_id)} drafts are released; the next sweep issues them"


def merge(parts: Parts, session: Session, item_id: UUID) -> str:
    """Of each subscription one document with the lines of all, over all its periods; then release it."""
    earlier = _earlier(session, item_id)
    if earlier:
        _take_lines(session, earlier, kinds=("recurring", *_WAITED))
        pairs = _columns(earlier)
        change(session, _MERGE_PERIODS, ids=pairs["id"], last_ids=pairs["last_id"])
        change(session, _BEGIN_SOONER, last_ids=pairs["last_id"], starts=pairs["starts_at"])
        _end(parts, session, item_id, earlier)
    return f"{_let_go(parts, session, item_id)} drafts are left and released; the next sweep issues them"


def skip(parts: Parts, session: Session, item_id: UUID) -> str:
    """Missed periods are recorded as skipped; what else was due of them is billed with the last one.

    Credits that this one can't bear wait for the next document. Raises `Refused` (`draft_below_zero`) where none comes.
    """
    earlier = _earlier(session, item_id)
    if earlier:
        _take_lines(session, earlier, kinds=_WAITED)
        _drop_credits(parts, session, _columns(earlier)["id"])
        change(session, _SKIP_PERIODS, item=item_id, only=_columns(earlier)["id"])
        let_wait(session, sorted(set(_columns(earlier)["last_id"])))
        _end(parts, session, item_id, earlier)
    return f"{_let_go(parts, session, item_id)} drafts are left and released; the next sweep issues them"


def discard(parts: Parts, session: Session, item_id: UUID) -> str:
    """Nothing of it is issued; its periods are recorded as skipped. Credits of lines that were issued before wait.

    What a note has given back in part is released, and what bears such a credit where no document follows.
    """
    held = fetch(session, _HELD, item=item_id)
    dropped = [row.id for row in held if not row.needed]
    _drop_credits(parts, session, dropped)
    kept = keep_credits(session, dropped)
    resum_all(parts, session, sorted(kept))
    change(session, _SKIP_PERIODS, item=item_id, only=dropped)
    told = f"{change(session, _DROP, item=item_id, only=dropped)} drafts are dropped; their periods are skipped"
    if kept:
        told += f"; {sum(kept.values())} credits of lines that were issued before wait for the next document"
    if len(dropped) < len(held):
        told += (
            f"; {_let_go(parts, session, item_id)} are released: a note gave something back of them, or they bear a "
            "credit and no document follows that could"
        )
    return told


DECISIONS: dict[str, Decision] = {"release": release, "merge": merge, "skip": skip, "discard": discard}
"""By action, for the kinds of `KINDS`."""


def _earlier(session: Session, item_id: UUID) -> list[Any]:
    """Drafts that another of their subscription takes up: (id, last_id, starts_at), the last being the same for all."""
    return fetch(session, _EARLIER, item=item_id)


def _columns(earlier: list[Any]) -> dict[str, list[Any]]:
    return {name: [getattr(each, name) for each in earlier] for name in ("id", "last_id", "starts_at")}


def _let_go(parts: Parts, session: Session, item_id: UUID) -> int:
    """What the item still holds is held no longer, and counts towards its day."""
    released = [tuple(row) for row in fetch(session, _LET_GO, item=item_id)]
    count_released(session, released, now=parts.clock.now(session))
    return len(released)


def _take_lines(session: Session, earlier: list[Any], *, kinds: Collection[str]) -> None:
    """Move lines of these kinds to the last draft, the older ones first."""
    pairs = _columns(earlier)
    lasts = sorted(set(pairs["last_id"]))
    change(session, _MAKE_ROOM, lasts=lasts)
    change(session, _TAKE_LINES, ids=pairs["id"], last_ids=pairs["last_id"], lasts=lasts, kinds=list(kinds))


def _drop_credits(parts: Parts, session: Session, dropped: list[UUID]) -> None:
    """Credits for lines of drafts that are never issued go with them; drafts that bore them are summed up anew."""
    change(session, _DROP_CREDITS_THAT_WAIT, dropped=dropped)
    lowered = {row.invoice_id for row in fetch(session, _DROP_CREDITS_ON_DRAFTS, dropped=dropped)}
    resum_all(parts, session, sorted(lowered))


def _end(parts: Parts, session: Session, item_id: UUID, earlier: list[Any]) -> None:
    """The earlier ones end as drafts that were never issued; all sums follow the lines as they stand now."""
    pairs = _columns(earlier)
    resum_all(parts, session, sorted({*pairs["id"], *pairs["last_id"]}))
    change(session, _DROP, item=item_id, only=pairs["id"])
