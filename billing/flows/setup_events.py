"""Events of set-ups: the customer has completed one with the provider; the method becomes usable."""

from __future__ import annotations

from sqlalchemy import select

from billing.commands.provider_event.claim import ClaimedEvent, close
from billing.flows.parts import Parts
from billing.flows.payment_methods import complete
from billing.kernel.status import EventStatus
from billing.models import PaymentMethod


def setup_intent(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Complete the pending method of this set-up. One that is not ours is kept and ignored."""
    with parts.begin() as session:
        method = session.scalars(
            select(PaymentMethod.id).where(
                PaymentMethod.provider_account_id == claimed.provider_account_id,
                PaymentMethod.setup_ref == claimed.object_ref,
            )
        ).one_or_none()
    if method is not None:
        complete(parts, method_id=method)
    status = EventStatus.PROCESSED if method is not None else EventStatus.IGNORED
    with parts.begin() as session:
        close(session, claimed, status=status, now=parts.clock.now(session))
    return status
