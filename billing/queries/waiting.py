"""Attempts that wait for an answer, and provider events that wait to be handled: taken by lease, read set-wise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.kernel.status import COLLECTABLE
from billing.models import Invoice, Payment, PaymentIntent, Profile, UnappliedPayment
from billing.queries.rate import carried

_CLAIM = """
    UPDATE billing.payment
    SET token = token + 1, lease_until = clock_timestamp() + make_interval(secs => :lease_s),
        next_check_at = clock_timestamp() + make_interval(secs => :lease_s),
        status = CASE WHEN status = 'sent' THEN 'unknown' ELSE status END,
        version = version + 1, updated_at = clock_timestamp()
    WHERE id = ANY(ARRAY(
        SELECT id FROM billing.payment
        WHERE {open} AND {condition}
        ORDER BY next_check_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING id
"""
_OPEN = "status IN ('prepared', 'processing', 'requires_action', 'sent', 'unknown')"
_DUE = "next_check_at <= clock_timestamp()"
_FREE = "(lease_until IS NULL OR lease_until < clock_timestamp())"
_TAKE = text(_CLAIM.format(open=_OPEN, condition=f"{_DUE} AND {carried('payment', f'{_OPEN} AND {_DUE}')}"))
_TAKE_ONE = text(_CLAIM.format(open=_OPEN, condition=f"id = :only AND {_FREE}"))


def take_waiting(session: Session, *, lease_s: float, most: int) -> list[UUID]:
    """Claim open attempts whose check is due (wall time). One that was sent and not answered is unknown from now on.

    Those at a provider that is left alone stay due; of one that is only probed, one is taken.
    """
    return list(session.execute(_TAKE, {"lease_s": lease_s, "most": most}).scalars())


def take_one(session: Session, payment_id: UUID, *, lease_s: float) -> list[UUID]:
    """Claim this attempt, due or not; empty where it is closed or another worker holds its lease."""
    return list(session.execute(_TAKE_ONE, {"lease_s": lease_s, "most": 1, "only": payment_id}).scalars())


def waiting_attempts(session: Session, payments: Sequence[UUID]) -> list[tuple[Payment, bool, str | None]]:
    """Attempts with whether their invoice still wants money, and their intent's id where the provider told it."""
    rows = session.execute(
        select(Payment, Invoice.status, PaymentIntent.intent_ref)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .join(PaymentIntent, PaymentIntent.id == Payment.payment_intent_id)
        .where(Payment.id.in_(payments))
        .order_by(Payment.id)
    )
    return [(payment, status in COLLECTABLE, intent_ref) for payment, status, intent_ref in rows]


def held_of(session: Session, payments: Collection[UUID]) -> set[UUID]:
    """Those attempts whose invoice or customer is on hold: a person is to look first."""
    of_them = select(Payment.id).join(Invoice, Invoice.id == Payment.invoice_id)
    of_them = of_them.join(Profile, Profile.id == Payment.profile_id).where(Payment.id.in_(payments))
    return set(session.scalars(of_them.where(Invoice.hold_id.is_not(None) | Profile.hold_id.is_not(None))))


def charges_claimed(session: Session, invoices: Collection[UUID]) -> dict[UUID, set[str]]:
    """Charges by invoice that are booked or answered for: its attempts', and those kept apart."""
    claimed: dict[UUID, set[str]] = defaultdict(set)
    for table in (Payment, UnappliedPayment):
        rows = session.execute(
            select(table.invoice_id, table.charge_ref).where(
                table.invoice_id.in_(invoices), table.charge_ref.is_not(None)
            )
        )
        for invoice_id, charge_ref in rows:
            if invoice_id is not None and charge_ref is not None:
                claimed[invoice_id].add(charge_ref)
    return claimed
