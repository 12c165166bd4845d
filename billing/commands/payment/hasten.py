"""Hasten: make what waits for the provider due now."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.collection import lock_attempts

_ACCOUNT = text(
    """
    UPDATE billing.invoice i
    SET charge_not_before = NULL, version = i.version + 1, updated_at = clock_timestamp()
    WHERE i.status IN ('open', 'draft') AND i.charge_not_before > clock_timestamp()
      AND EXISTS (SELECT FROM billing.payment p
                  WHERE p.invoice_id = i.id AND p.provider_account_id = :account AND p.status = 'not_sent')
    """
)


def hasten_question(session: Session, *, payment_id: UUID, wall: datetime) -> bool:
    """Make the next question about an open attempt due; False where it is due already, or a worker is asking now."""
    payment, _, _ = lock_attempts(session, [payment_id])[payment_id]
    if payment.lease_until is not None and payment.lease_until > wall:
        return False
    if payment.next_check_at is not None and payment.next_check_at <= wall:
        return False
    payment.next_check_at = wall
    session.flush()
    return True


def hasten_account(session: Session, *, provider_account_id: UUID) -> bool:
    """End the technical back-off of every invoice that this account refused; False where none waits."""
    written = session.execute(_ACCOUNT, {"account": provider_account_id})
    return bool(written.rowcount)  # type: ignore[attr-defined]
