"""Put back attempts that were opened and may not be sent: surely not sent, due again when nothing stops them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.invoice.resume import resume
from billing.kernel.status import COLLECTABLE, PaymentKind, PaymentStatus
from billing.queries.collection import lock_attempts

STOPPED = "stopped_before_sending"


def put_back(session: Session, held: Sequence[tuple[UUID, int]], *, now: datetime) -> int:
    """Close as `not_sent` those of (attempt, token) that are still prepared and in our hands. Returns their number.

    Their invoice, where it still asks for money, is due at once: it is the hold or the brake that keeps it. The same
    attempt is then sent under its own key; what customers began themselves they begin again,
    and the schedule goes on. One that was sent before, or that another worker holds, is left alone.
    """
    tokens = dict(held)
    done = 0
    for payment, invoice, _ in lock_attempts(session, list(tokens)).values():
        if payment.token != tokens[payment.id] or payment.status != PaymentStatus.PREPARED:
            continue
        payment.status, payment.closed_at, payment.reason = PaymentStatus.NOT_SENT, now, STOPPED
        payment.lease_until = payment.next_check_at = None
        if payment.kind == PaymentKind.ON_SESSION:
            resume(invoice)
        elif invoice.status in COLLECTABLE:
            invoice.next_attempt_at, invoice.extra_try = now, not payment.scheduled
        done += 1
    session.flush()
    return done
