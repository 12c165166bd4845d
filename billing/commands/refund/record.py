"""Record what became of a refund. The caller holds its row and has checked the token."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from billing.commands.ledger.post import post
from billing.commands.refund.lost import settle_by_loss
from billing.commands.work_item.close import close_for
from billing.commands.work_item.raise_item import raise_item
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.moves import require_move
from billing.kernel.status import FAILED_REFUND, OPEN_REFUND, RefundStatus, SettledAs
from billing.kernel.work import WorkKind
from billing.models import Account, Refund
from billing.providers.port import RefundFacts

FAILED = WorkKind.REFUND_FAILED
"""Kind of the work item for money that could not go back: it is still owed to the customer."""
ABSENT_LISTS = 2
"""So many complete lists without the refund prove that it was not made."""
STUCK = WorkKind.REFUND_NOT_SENT
"""Kind of the work item for a refund that the provider will not take, or does not end, or whose outcome can't be
learnt."""
UNDER_WAY_IS_WORK = timedelta(days=21)
"""What is open for so long (business time) is work: mostly the provider's balance is too low, or it waits for the
customer's bank account. What goes by itself has arrived within 10 business days (Stripe)."""


def note_facts(session: Session, *, refund: Refund, facts: RefundFacts, now: datetime, wall: datetime) -> None:
    """Take over the provider's state. A success is booked once: Dr refunds in flight, Cr provider clearing."""
    refund.refund_ref = facts.refund_ref
    refund.reason = facts.failure_reason
    refund.lease_until = None
    status = RefundStatus(facts.status)
    if status in OPEN_REFUND:
        put_off(refund, wall=wall, pause_s=3600.0)
    if status == refund.status:
        session.flush()
    else:
        _move(session, refund, status, now)
    if status in OPEN_REFUND and now - refund.opened_at >= UNDER_WAY_IS_WORK:
        _raise(session, refund, STUCK, _since(refund), now)


def note_never(session: Session, *, refund: Refund, reason: str, now: datetime) -> None:
    """The provider has refused it for good: it failed, and nothing was sent."""
    refund.reason, refund.lease_until = reason, None
    _move(session, refund, RefundStatus.FAILED, now)


def _move(session: Session, refund: Refund, status: RefundStatus, now: datetime) -> None:
    require_move(RefundStatus(refund.status), status)
    before = refund.status
    refund.status = status
    if status not in OPEN_REFUND:
        refund.closed_at, refund.next_check_at = now, None
        close_for(session, kind=STUCK, subject_id=refund.id, now=now)
    session.flush()
    if status is RefundStatus.SUCCEEDED:
        _book(session, refund, refund.amount_minor, now)
    elif status is RefundStatus.FAILED:
        if before == RefundStatus.SUCCEEDED:
            _book(session, refund, -refund.amount_minor, now)
        _raise(session, refund, FAILED, "A refund failed: the money is still owed to the customer.", now)
    elif status is RefundStatus.CANCELED:
        _raise(session, refund, FAILED, "A refund was canceled: the money is still owed to the customer.", now)
    if status in FAILED_REFUND and refund.payment_id is not None:
        settle_by_loss(session, payment_id=refund.payment_id, now=now)
    emit(
        session,
        topic=Topic.REFUND_UPDATED,
        object_type="refund",
        object_id=refund.id,
        seller_id=refund.seller_id,
        now=now,
        payload={
            "refund_id": str(refund.id),
            "invoice_id": str(refund.invoice_id),
            "status": refund.status,
            "amount_minor": refund.amount_minor,
            "currency": refund.currency,
        },
    )


def note_unclear(
    session: Session, *, refund: Refund, reason: str, needs_person: bool, now: datetime, wall: datetime, pause_s: float
) -> None:
    """Nothing is known yet: ask again under the same key after `pause_s`. `needs_person`: it will not go by itself."""
    refund.reason = reason
    refund.lease_until = None
    put_off(refund, wall=wall, pause_s=pause_s)
    session.flush()
    if needs_person:
        _raise(session, refund, STUCK, "A refund could not be sent; its credit note stands.", now)
    elif now - refund.opened_at >= UNDER_WAY_IS_WORK:
        _raise(session, refund, STUCK, _since(refund), now)


def _since(refund: Refund) -> str:
    return f"A refund is {refund.status} since {refund.opened_at.date()}; its credit note stands."


def note_absent(session: Session, *, refund: Refund, wall: datetime, pause_s: float) -> None:
    """A complete list doesn't show it, and its sending is over. Two such lists prove it: then another key is due."""
    refund.lease_until = None
    refund.absent_lists += 1
    if refund.absent_lists < ABSENT_LISTS:
        refund.reason = "listed_absent"
        put_off(refund, wall=wall, pause_s=pause_s)
    else:
        refund.reason = "proven_absent"
        refund.key_no, refund.absent_lists, refund.first_sent_at = refund.key_no + 1, 0, None
        put_off(refund, wall=wall, pause_s=0)
    session.flush()


def put_off(refund: Refund, *, wall: datetime, pause_s: float) -> None:
    """Ask again after so many seconds of wall time."""
    refund.checks += 1
    refund.next_check_at = wall + timedelta(seconds=pause_s)


def _book(session: Session, refund: Refund, amount: int, now: datetime) -> None:
    post(
        session,
        kind="refund_sent",
        seller_id=refund.seller_id,
        profile_id=refund.profile_id,
        invoice_id=refund.invoice_id,
        payment_id=refund.payment_id,
        charge_ref=refund.charge_ref if refund.payment_id is None else None,
        currency=refund.currency,
        sides=((Account.REFUNDS_IN_FLIGHT, amount), (Account.PROVIDER_CLEARING, -amount)),
        now=now,
    )


def raise_owed(session: Session, *, refund: Refund, now: datetime) -> None:
    """A work item for one that a loss had settled, which was turned."""
    _raise(session, refund, FAILED, "A lost dispute was turned: the refund that it had met is owed again.", now)


def _raise(session: Session, refund: Refund, kind: WorkKind, summary: str, now: datetime) -> None:
    settles = list(SettledAs) if kind is FAILED else []
    raise_item(
        session,
        kind=kind,
        subject_type="refund",
        subject_id=refund.id,
        seller_id=refund.seller_id,
        profile_id=refund.profile_id,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        summary=summary,
        error=refund.reason,
        safe_actions=[*settles, "park"],
        next_try_at=refund.next_check_at,
        now=now,
    )
