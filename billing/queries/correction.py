"""Reads of what has been taken back of an invoice already."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.kernel.money import divide_half_away
from billing.models import Invoice


@dataclass(frozen=True, slots=True)
class Notes:
    """Sums of an invoice's refund notes: all tax, and the part of it that came on top of their subtotals."""

    tax_minor: int
    on_top_minor: int


_PAID = text(
    """
    SELECT p.id, p.provider_account_id, p.charge_ref, p.amount_minor,
           p.amount_minor - coalesce(
               (SELECT sum(r.amount_minor) FROM billing.refund r
                WHERE r.payment_id = p.id AND r.status NOT IN ('failed', 'canceled')), 0) AS left_minor
    FROM billing.payment p
    WHERE p.invoice_id = :invoice AND p.status = 'succeeded'
      AND NOT EXISTS (SELECT FROM billing.unapplied_payment u
                      WHERE u.provider_account_id = p.provider_account_id AND u.charge_ref = p.charge_ref)
    ORDER BY p.attempt_no DESC
    """
)


@dataclass(frozen=True, slots=True)
class PaidBy:
    """A payment that an invoice's money came by, and what of it could still go back."""

    payment_id: UUID
    provider_account_id: UUID
    charge_ref: str
    amount_minor: int
    left_minor: int


def paid_by(session: Session, invoice_id: UUID) -> list[PaidBy]:
    """The succeeded payments that were applied to the invoice, newest first."""
    return [PaidBy(*row) for row in session.execute(_PAID, {"invoice": invoice_id})]


_CREDITS = text(
    """
    SELECT abs(c.amount_minor) FROM billing.invoice_line l
    JOIN billing.invoice_line c ON c.credits_line_id = l.id AND c.credits_issued
    WHERE l.invoice_id = :invoice
    UNION ALL
    SELECT abs(c.amount_minor) FROM billing.invoice_line l
    JOIN billing.waiting_line c ON c.credits_line_id = l.id AND c.credits_issued
    WHERE l.invoice_id = :invoice
    """
)


def credited_gross(session: Session, invoice: Invoice) -> int:
    """The gross of all proration credits written for the invoice's lines, those that wait included; each rounded."""
    net = invoice.subtotal_minor - invoice.discount_minor
    if net == 0:
        return 0
    credits_ = session.execute(_CREDITS, {"invoice": invoice.id}).scalars()
    return sum(divide_half_away(credit * invoice.total_minor, net) for credit in credits_)


def refundable(session: Session, invoice: Invoice) -> int:
    """What may still go back to the customer, in minor units. Source: the scenario contract, rule 13."""
    paid = sum(each.amount_minor for each in paid_by(session, invoice.id))
    return paid - invoice.amount_refunded_minor - credited_gross(session, invoice)


_NOTES = text(
    """
    SELECT coalesce(sum(tax_minor), 0), coalesce(sum(total_minor - subtotal_minor), 0)
    FROM billing.invoice WHERE corrects_id = :invoice AND status = 'refunded'
    """
)


def refund_notes(session: Session, invoice_id: UUID) -> Notes:
    """What the invoice's refund notes come to so far."""
    return Notes(*map(int, session.execute(_NOTES, {"invoice": invoice_id}).one()))
