"""Reads for paying a customer's balance out: what it holds, and which charges can still take money back; and what they
owe beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from billing.kernel.money import divide_half_away
from billing.kernel.status import InvoiceStatus
from billing.models import CreditBalance, Invoice
from billing.queries.dispute import OPEN


@dataclass(frozen=True, slots=True)
class ChargeLeft:
    """A charge of the customer's, and what of it has not gone back."""

    payment_id: UUID
    invoice_id: UUID
    provider_account_id: UUID
    charge_ref: str
    left_minor: int


_CHARGES = text(
    f"""
    SELECT p.id, p.invoice_id, p.provider_account_id, p.charge_ref,
           (p.amount_minor - coalesce(
               (SELECT sum(r.amount_minor) FROM billing.refund r
                WHERE r.payment_id = p.id AND r.status NOT IN ('failed', 'canceled')), 0))::bigint AS left_minor
    FROM billing.payment p
    WHERE p.profile_id = :profile AND p.currency = :currency AND p.status = 'succeeded'
      AND NOT EXISTS (SELECT FROM billing.unapplied_payment u
                      WHERE u.provider_account_id = p.provider_account_id AND u.charge_ref = p.charge_ref)
      AND NOT EXISTS (SELECT FROM billing.dispute d
                      WHERE d.provider_account_id = p.provider_account_id AND d.charge_ref = p.charge_ref
                        AND ((d.status IN ({OPEN}) AND NOT d.refundable) OR d.status = 'lost'))
    ORDER BY p.id DESC
    """  # noqa: S608 (our own words)
)


def charges_of(session: Session, profile_id: UUID, currency: str) -> list[ChargeLeft]:
    """The customer's charges that the provider would still refund, newest first."""
    return [ChargeLeft(*row) for row in session.execute(_CHARGES, {"profile": profile_id, "currency": currency})]


_UNPAID = text(
    """
    SELECT c.amount_minor - c.discount_minor AS net_minor, n.total_minor,
           n.subtotal_minor - n.discount_minor AS whole_minor,
           CASE o.status WHEN 'paid' THEN coalesce(b.carried_forward_minor, 0) END AS carried_forward_minor
    FROM billing.invoice n
    JOIN billing.invoice_line c ON c.invoice_id = n.id
    JOIN billing.invoice_line l ON l.id = c.credits_line_id
    JOIN billing.invoice o ON o.id = l.invoice_id
      AND (o.status NOT IN ('paid', 'credited') OR o.status = 'paid' AND o.amount_carried_forward_minor > 0)
    LEFT JOIN billing.credit_balance b ON b.profile_id = o.profile_id AND b.currency = o.currency
    WHERE n.id = ANY(:documents) AND n.status = 'credited' AND n.subtotal_minor <> n.discount_minor
    """
)


def credited_by(session: Session, documents: Sequence[UUID]) -> int:
    """What those of these documents that are credit notes gave back of what was paid, by way of the balance.

    What they gave back of a document that is still owed stays in the balance: nobody has paid it. So it is with one
    that was carried forward, as far as that waits for the next invoice.
    """
    notes = select(func.coalesce(func.sum(Invoice.total_minor), 0)).where(
        Invoice.id.in_(documents), Invoice.status == InvoiceStatus.CREDITED
    )
    owed = forwarded = waits = 0
    for row in session.execute(_UNPAID, {"documents": list(documents)}):
        gross = divide_half_away(abs(row.net_minor) * row.total_minor, abs(row.whole_minor))
        if row.carried_forward_minor is None:
            owed += gross
        else:
            forwarded, waits = forwarded + gross, row.carried_forward_minor
    return max(0, int(session.scalar(notes) or 0) - owed - min(forwarded, waits))


def balance_of(session: Session, profile_id: UUID, currency: str) -> int:
    """The credit in store, in minor units."""
    found = session.scalar(
        select(CreditBalance.amount_minor).where(
            CreditBalance.profile_id == profile_id, CreditBalance.currency == currency
        )
    )
    return found or 0


def carried_forward_of(session: Session, profile_id: UUID) -> dict[str, int]:
    """What is carried forward to the customer's next invoices, in minor units by currency; only what there is."""
    amount = CreditBalance.carried_forward_minor
    there = (CreditBalance.profile_id == profile_id, amount > 0)
    found = select(CreditBalance.currency, amount).where(*there).order_by(CreditBalance.currency)
    return {row.currency: row.carried_forward_minor for row in session.execute(found)}
