"""Credits of lines that were issued before wait for the next document, where there will be one.

Those that are larger than what their drafts charge, and those on drafts that are dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from billing.commands.invoice.draft import line_of
from billing.commands.subscription.waiting import write_waiting
from billing.db.rows import fetch
from billing.models import InvoiceLine

# A credit for a line of before is in no discount's base: it weighs the same on whichever document it stands.
_TOO_LARGE = """
    SELECT l.id, l.invoice_id, l.amount_minor, l.total, l.subscription_id
    FROM (SELECT l.id, l.invoice_id, l.kind, l.credits_issued, l.amount_minor, i.subscription_id,
                 sum(l.amount_minor - l.discount_minor) OVER (PARTITION BY l.invoice_id)::bigint AS total
          FROM billing.invoice_line l JOIN billing.invoice i ON i.id = l.invoice_id
          JOIN billing.subscription s ON s.id = i.subscription_id AND s.next_due_at IS NOT NULL
          WHERE l.invoice_id = ANY(%(drafts)s)) l
    WHERE l.total < 0 AND l.kind = 'proration_credit' AND l.credits_issued
    ORDER BY l.invoice_id, l.amount_minor, l.id
"""

_CREDITS = """
    SELECT l.id, l.invoice_id, i.subscription_id
    FROM billing.invoice_line l JOIN billing.invoice i ON i.id = l.invoice_id
    WHERE l.invoice_id = ANY(%(drafts)s) AND l.kind = 'proration_credit' AND l.credits_issued
"""


def let_wait(session: Session, drafts: Sequence[UUID]) -> None:
    """Take such credits off these drafts, the largest first, until each draft charges something. The caller holds the
    customers, and sums the drafts up anew.
    """
    waits: dict[UUID, UUID] = {}
    for _, credits_ in groupby(fetch(session, _TOO_LARGE, drafts=list(drafts)), key=lambda each: each.invoice_id):
        left: int | None = None
        for credit in credits_:
            left = credit.total if left is None else left
            if left < 0:
                waits[credit.id] = credit.subscription_id
                left -= credit.amount_minor
    _move(session, waits)


def keep_credits(session: Session, dropped: Sequence[UUID]) -> dict[UUID, int]:
    """Take all such credits off drafts that are never issued. Returns how many, by draft; the caller sums those up."""
    found = fetch(session, _CREDITS, drafts=list(dropped))
    _move(session, {row.id: row.subscription_id for row in found})
    return Counter(row.invoice_id for row in found)


def _move(session: Session, waits: Mapping[UUID, UUID]) -> None:
    """Lines by id become waiting ones of these subscriptions."""
    if not waits:
        return
    lines = session.scalars(select(InvoiceLine).where(InvoiceLine.id.in_(waits)).order_by(InvoiceLine.id)).all()
    kept = [(line.seller_id, waits[line.id], line_of(line)) for line in lines]
    session.execute(delete(InvoiceLine).where(InvoiceLine.id.in_(waits)))
    write_waiting(session, kept)
