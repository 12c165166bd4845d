"""Events of set-ups: completed with the provider, the method becomes usable; canceled, it never will; else it waits."""

from __future__ import annotations

from sqlalchemy import select

from billing.commands.payment_method.lose import lose_methods
from billing.commands.provider_event.claim import ClaimedEvent, close
from billing.flows.parts import Parts
from billing.flows.payment_methods import complete
from billing.kernel.failpoints import failpoint
from billing.kernel.status import EventStatus, MethodStatus
from billing.models import PaymentMethod
from billing.rules.rate import Rank


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


def setup_ended(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Give up the pending method of a set-up that can not be completed any more. One that failed may be tried again."""
    account_id = claimed.provider_account_id
    facts = parts.provider(account_id, rank=Rank.REREADS).read_setup(claimed.object_ref)
    failpoint("event.reread")
    if facts.status == "succeeded":
        return setup_intent(parts, claimed)
    with parts.begin() as session:
        now = parts.clock.now(session)
        method = session.scalars(
            select(PaymentMethod).where(
                PaymentMethod.provider_account_id == account_id, PaymentMethod.setup_ref == claimed.object_ref
            )
        ).one_or_none()
        status = EventStatus.PROCESSED if method is not None else EventStatus.IGNORED
        if facts.status == "canceled" and method is not None and method.status == MethodStatus.PENDING:
            lose_methods(session, profile_id=method.profile_id, method_ids=[method.id], now=now)
        close(session, claimed, status=status, now=now)
    return status
