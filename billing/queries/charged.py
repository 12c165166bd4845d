"""Which lines charged the running period of a subscription, on which documents: what a change gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.rows import fetch
from billing.kernel.status import InvoiceStatus, PeriodDisposition
from billing.queries.dispute import OPEN
from billing.queries.standing import Item
from billing.rules.walk import Span


@dataclass(frozen=True, slots=True)
class ChargedLine:
    """A licensed line of the running period. `net_minor` is after its discount; of a waiting line, its amount.

    The document's columns are null while the line waits. Of a draft `total_minor` is what it charges before tax,
    `refunded_minor` what its review has taken off, and `bears_minor` what its lines come to, credits among them.
    """

    id: UUID
    invoice_id: UUID | None
    price_id: UUID
    description: str
    net_minor: int
    period_start: datetime
    tax_percent: Decimal | None
    tax_inclusive: bool | None
    tax_code: str | None
    credited: bool
    """Whether a credit for it is written."""
    status: InvoiceStatus | None
    due_at: datetime | None
    total_minor: int
    refunded_minor: int
    contested: bool
    """Whether its document's payment is disputed, or lost to a dispute and still owed: it may be gone, or is."""
    bears_minor: int
    under_way: bool
    """Whether a debit for its document is with the bank."""

    def counts_as_paid(self, now: datetime) -> bool:
        """Paid or credited, or on its way: sent for payment and within its time, or with the bank as a debit. Of a line
        that stands on a document."""
        if self.contested:
            return False
        if self.status in (InvoiceStatus.PAID, InvoiceStatus.CREDITED):
            return True
        within = self.due_at is not None and now <= self.due_at
        return self.status == InvoiceStatus.OPEN and (within or self.under_way)

    @property
    def on_draft(self) -> bool:
        """Whether it stands on a draft: what is given back of it stands there too, whatever becomes of that."""
        return self.status == InvoiceStatus.DRAFT


@dataclass(frozen=True, slots=True)
class Charged:
    """The lines of the running period, and whether it was billed at all (not if it began in a pause)."""

    billed: bool
    lines: Sequence[ChargedLine]

    def of(self, item: Item) -> ChargedLine | None:
        """The line that last charged an item. Lines of an earlier stay of the same price are not its."""
        own = [
            line
            for line in self.lines
            if line.price_id == item.price.id
            and not line.credited
            and (line.period_start > item.counts_from or item.id is None or line.id > item.id)
            and line.period_start >= item.counts_from
        ]
        return max(own, key=lambda line: (line.period_start, line.id), default=None)


# Money of a document that another replaces is that other's, and so are its disputes.
_LINES = f"""
    SELECT l.id, i.id AS invoice_id, l.price_id, l.description,
           CASE i.kind WHEN 'invoice' THEN l.amount_minor - l.discount_minor ELSE l.discount_minor - l.amount_minor END
               AS net_minor,
           l.period_start, l.tax_percent, l.tax_inclusive, l.tax_code,
           EXISTS (SELECT FROM billing.invoice_line c WHERE c.credits_line_id = l.id)
           OR EXISTS (SELECT FROM billing.waiting_line c WHERE c.credits_line_id = l.id) AS credited,
           CASE WHEN taken.given_up THEN 'uncollectible' ELSE i.status END AS status, i.due_at,
           CASE i.status WHEN 'draft' THEN review.charged_minor ELSE i.total_minor END AS total_minor,
           CASE i.status WHEN 'draft' THEN review.taken_off_minor
                ELSE i.amount_refunded_minor + i.amount_credited_minor + i.amount_returned_minor + taken.credited_minor
                END AS refunded_minor,
           taken.contested, review.bears_minor,
           EXISTS (SELECT FROM billing.payment p WHERE p.invoice_id = i.id AND p.status = 'processing') AS under_way
    FROM billing.invoice i
    JOIN billing.invoice_line l ON l.invoice_id = i.id
    CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(d.given_up_minor > 0 AND d.decision = 'write_off'), false) AS given_up,
               coalesce(sum(d.reopened_minor - d.repaid_minor - d.given_up_minor)
                            FILTER (WHERE d.decision = 'credit_note'), 0)::bigint AS credited_minor,
               coalesce(bool_or(d.status IN ({OPEN}) AND NOT d.refundable
                                OR d.reopened_minor > d.repaid_minor AND d.decision IS NULL), false) AS contested
        FROM billing.dispute d WHERE d.invoice_id IN (i.id, i.corrects_id)) taken
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(o.amount_minor - o.discount_minor) FILTER (WHERE o.amount_minor > 0), 0)::bigint
                   AS charged_minor,
               coalesce(-sum(o.amount_minor) FILTER (WHERE o.amount_minor < 0 AND o.kind = 'one_off'), 0)::bigint
                   AS taken_off_minor,
               coalesce(sum(o.amount_minor - o.discount_minor), 0)::bigint AS bears_minor
        FROM billing.invoice_line o WHERE o.invoice_id = i.id AND i.status = 'draft') review
    WHERE i.subscription_id = %(subscription)s AND i.status <> 'replaced'
      AND l.kind IN ('recurring', 'proration_charge')
      AND l.period_start >= %(starts)s AND l.period_end = %(ends)s
    UNION ALL
    SELECT w.id, NULL, w.price_id, w.description, w.amount_minor, w.period_start, NULL, NULL, NULL,
           EXISTS (SELECT FROM billing.waiting_line c WHERE c.credits_line_id = w.id), NULL, NULL, 0, 0, false, 0, false
    FROM billing.waiting_line w
    WHERE w.subscription_id = %(subscription)s AND w.kind = 'proration_charge'
      AND w.period_start >= %(starts)s AND w.period_end = %(ends)s
    ORDER BY id
"""  # noqa: S608 (our own words)

_DISPOSITION = """
    SELECT disposition FROM billing.billing_period
    WHERE subscription_id = %(subscription)s AND anchor_no = %(anchor_no)s AND period_no = %(period_no)s
"""


def charged_lines(session: Session, row: Any, running: Span) -> Charged:
    """What charged `running`, the open period of the subscription `row`. Two statements."""
    lines = [
        ChargedLine(**each._asdict() | {"status": None if each.status is None else InvoiceStatus(each.status)})
        for each in fetch(session, _LINES, subscription=row.id, starts=running.start, ends=running.end)
    ]
    opened = fetch(
        session, _DISPOSITION, subscription=row.id, anchor_no=row.anchor_no, period_no=row.next_period_no - 1
    )
    return Charged(not any(each.disposition == PeriodDisposition.PAUSED for each in opened), lines)
