"""Events of refunds: a hint to look. The refund as re-read decides, whatever the order of arrival."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.provider_event.claim import ClaimedEvent, close
from billing.commands.refund.record import note_facts
from billing.db.clock import wall_now
from billing.flows.parts import Parts
from billing.flows.payment_events import NOT_SHOWN, ignore
from billing.flows.restoring import NotHealed, healed_below, named_refunds, pause
from billing.flows.sending_back import kept_apart, take_over
from billing.kernel.errors import ProviderRefused
from billing.kernel.failpoints import failpoint
from billing.kernel.moves import allowed
from billing.kernel.status import OPEN_REFUND, EventStatus, RefundStatus
from billing.models import Payment, Refund
from billing.providers.port import RefundFacts
from billing.queries.refunding import lock_refund
from billing.queries.same_database import lost_refunds
from billing.rules.rate import Rank


def refund(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Note what became of a refund of ours, also where a bank sent it back days after it took it.

    One of a charge of ours under an id of ours that we have no row of proves that rows were lost: everything is paused.
    """
    account_id = claimed.provider_account_id
    try:
        facts = parts.provider(account_id, rank=Rank.REREADS).read_refund(claimed.object_ref)
    except ProviderRefused as refused:
        if refused.code not in NOT_SHOWN or _is_ours(parts, account_id, claimed.object_ref):
            raise
        return ignore(parts, claimed, "the provider shows no such refund")
    failpoint("event.reread")
    with parts.begin() as session:
        now = parts.clock.now(session)
        if _note(session, account_id, facts, now):
            close(session, claimed, status=EventStatus.PROCESSED, now=now)
            return EventStatus.PROCESSED
        healed = healed_below(session)
        lost = lost_refunds(session, account_id=account_id, named=named_refunds([facts]), healed=healed)
        if not lost and take_over(parts, session, account_id, [facts]):
            close(session, claimed, status=EventStatus.PROCESSED, now=now)
            return EventStatus.PROCESSED
        if not lost:
            # Not ours, or its answer is still on its way: that, or the sweep, brings the same facts.
            close(session, claimed, status=EventStatus.IGNORED, now=now, error="no refund of ours")
            return EventStatus.IGNORED
    pause(parts, evidence=f"the provider knows refund {lost[0]}, this database does not")
    raise NotHealed("this database was restored; the event is handled when it is reconciled")


def _is_ours(parts: Parts, account_id: UUID, refund_ref: str) -> bool:
    of_it = (Refund.provider_account_id == account_id, Refund.refund_ref == refund_ref)
    with parts.begin() as session:
        return session.scalars(select(Refund.id).where(*of_it)).first() is not None


def charge_refunded(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Note what became of our refunds of a charge that are on their way: the event names the charge alone.

    Where none is, nothing is asked: what others sent back is a difference that reconciliation shows. Of money kept
    apart it is taken over.
    """
    account_id = claimed.provider_account_id
    with parts.begin() as session:
        apart = kept_apart(session, account_id, claimed.object_ref)
        waiting = session.scalars(
            select(Refund.refund_ref)
            .join(Payment, Payment.invoice_id == Refund.invoice_id)
            .where(
                Payment.provider_account_id == account_id,
                Payment.charge_ref == claimed.object_ref,
                Refund.provider_account_id == account_id,
                Refund.charge_ref == claimed.object_ref,
                Refund.status.in_(OPEN_REFUND),
                Refund.refund_ref.is_not(None),
            )
        ).all()
    provider = parts.provider(account_id, rank=Rank.REREADS)
    read = [provider.read_refund(ref) for ref in waiting if ref is not None]
    if apart is not None:
        read = list(provider.list_refunds(charge_ref=claimed.object_ref))
    failpoint("event.reread")
    with parts.begin() as session:
        now = parts.clock.now(session)
        for facts in sorted(read, key=lambda each: each.refund_ref):
            _note(session, account_id, facts, now)
        take_over(parts, session, account_id, read if apart is not None else [])
        close(session, claimed, status=EventStatus.PROCESSED, now=now)
    return EventStatus.PROCESSED


def reread_refund(parts: Parts, account_id: UUID, refund_ref: str) -> RefundFacts:
    """Take over what the provider shows of a refund, where no event told of it. Raises what the provider raises."""
    facts = parts.provider(account_id).read_refund(refund_ref)
    with parts.begin() as session:
        _note(session, account_id, facts, parts.clock.now(session))
    return facts


def _note(session: Session, account_id: UUID, facts: RefundFacts, now: datetime) -> bool:
    """Take over what the provider shows, unless we know something newer; False where it is no refund of ours."""
    by_ref = (Refund.provider_account_id == account_id, Refund.refund_ref == facts.refund_ref)
    refund_id = session.scalars(select(Refund.id).where(*by_ref)).one_or_none()
    if refund_id is None:
        return False
    found = lock_refund(session, refund_id)
    status = RefundStatus(facts.status)
    if status == found.status or allowed(RefundStatus(found.status), status):
        found.token += 1
        note_facts(session, refund=found, facts=facts, now=now, wall=wall_now(session))
    return True
