"""Postpone a retry that a card network's limit forbids, or decide, as the seller's policy says."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.invoice.dun import decide, retry_moment
from billing.commands.notice.of_invoice import tell_of_no_money
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.status import InvoiceStatus
from billing.models import Invoice, PaymentMethod
from billing.queries.card_tries import card_of
from billing.queries.collection import ToCharge, was_declined
from billing.rules.card_limit import Sent, allowed_from
from billing.rules.dunning import DeclineClass, DunningPolicy, OverLimit


def keep_within_limits(
    session: Session,
    due: ToCharge,
    invoice: Invoice,
    method: PaymentMethod,
    policy: DunningPolicy,
    *,
    now: datetime,
) -> bool:
    """Whether the due try of a locked invoice must wait; then its next moment, or the end, is written.

    Only a repeat is held back, whoever asked for it: the first try of an invoice is none. A try that may be made is
    counted with the card's others, for those of the same slice.
    """
    card = card_of(method)
    if card is None or policy.over_limit is OverLimit.OFF or not was_declined(due.attempts.get(invoice.id, ())):
        return False
    if invoice.waits_for_method or (invoice.subscription_id in due.unpaid and not invoice.extra_try):
        # Nothing would be charged in any case.
        return False
    free = allowed_from(method.brand, due.tries[card], now=now)
    if free is None:
        due.tries[card].append(Sent(now, answered=False))
        invoice.card_limit_until = None
        return False
    if policy.over_limit is OverLimit.FINAL and not invoice.extra_try and invoice.status == InvoiceStatus.OPEN:
        decide(session, invoice=invoice, policy=policy, now=now)
        tell_of_no_money(
            session, invoice=invoice, decline=DeclineClass.SOFT, payment_id=None, method_id=method.id, now=now
        )
    else:
        _postpone(session, invoice, policy, free, now)
    return True


def _postpone(session: Session, invoice: Invoice, policy: DunningPolicy, free: datetime, now: datetime) -> None:
    invoice.next_attempt_at = invoice.card_limit_until = retry_moment(session, invoice, policy, free)
    if _has_moment_by(invoice, policy, invoice.next_attempt_at):
        # By then the schedule asks for a try as well: it is that one.
        invoice.extra_try = False
    emit(
        session,
        topic=Topic.INVOICE_RETRY_POSTPONED,
        object_type="invoice",
        object_id=invoice.id,
        seller_id=invoice.seller_id,
        now=now,
        payload={
            "invoice_id": str(invoice.id),
            "number": invoice.number,
            "why": "card_limit",
            "until": invoice.next_attempt_at.isoformat(),
        },
    )


def _has_moment_by(invoice: Invoice, policy: DunningPolicy, at: datetime) -> bool:
    step = invoice.dunning_step
    if invoice.dunning_at is None or invoice.final_decision is not None or step >= len(policy.retries):
        return False
    return at >= invoice.dunning_at + policy.retries[step]
