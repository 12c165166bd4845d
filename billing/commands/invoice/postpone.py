"""Postpone retries that a card network's limit forbids, or decide, as the seller's policy says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.invoice.dun import Dunned, retry_moment, zones_of
from billing.commands.invoice.move import write_collecting
from billing.events.bulk import emit_many, payload
from billing.events.topics import Topic
from billing.kernel.status import InvoiceStatus
from billing.queries.card_tries import card_of
from billing.queries.collecting import Collecting
from billing.queries.collection import Due, Method, was_declined
from billing.rules.card_limit import Sent, allowed_from
from billing.rules.dunning import DeclineClass, DunningPolicy, OverLimit


@dataclass(frozen=True, slots=True)
class Postponed:
    """A locked invoice whose next try its card's network allows only from then on."""

    invoice: Collecting
    policy: DunningPolicy
    free: datetime


def over_limit(due: Due, method: Method, policy: DunningPolicy, *, now: datetime) -> Postponed | Dunned | None:
    """What the limits make of a due try: it waits, or the schedule ends; None where it may be made.

    Only a repeat is held back, whoever asked for it: the first try of an invoice is none. A try that may be made is
    counted with the card's others, for those of the same slice.
    """
    invoice, card = due.invoice, card_of(method)
    if card is None or policy.over_limit is OverLimit.OFF or not was_declined(due.attempts):
        return None
    if invoice.waits_for_method or (due.unpaid and not invoice.extra_try):
        # Nothing would be charged in any case.
        return None
    free = allowed_from(method.brand, due.tries[card], now=now)
    if free is None:
        due.tries[card].append(Sent(now, answered=False))
        invoice.card_limit_until = None
        return None
    if policy.over_limit is OverLimit.FINAL and not invoice.extra_try and invoice.status == InvoiceStatus.OPEN:
        return Dunned(invoice, policy, DeclineClass.SOFT, decided=True, method_id=method.id)
    return Postponed(invoice, policy, free)


def postpone(session: Session, postponed: Sequence[Postponed], *, now: datetime) -> None:
    """Write the next moments, and tell of them."""
    zones = zones_of(session, [(each.invoice, each.policy) for each in postponed])
    for each in postponed:
        invoice, at = each.invoice, retry_moment(each.invoice, each.policy, each.free, zones)
        invoice.next_attempt_at = invoice.card_limit_until = at
        if _has_moment_by(invoice, each.policy, at):
            # By then the schedule asks for a try as well: it is that one.
            invoice.extra_try = False
    write_collecting(session, [each.invoice for each in postponed])
    emit_many(
        session,
        topic=Topic.INVOICE_RETRY_POSTPONED,
        object_type="invoice",
        now=now,
        events=[(each.invoice.seller_id, each.invoice.id, _told(each.invoice)) for each in postponed],
    )


def _told(invoice: Collecting) -> str:
    assert invoice.next_attempt_at is not None
    until = invoice.next_attempt_at.isoformat()
    return payload(invoice_id=invoice.id, number=invoice.number, why="card_limit", until=until)


def _has_moment_by(invoice: Collecting, policy: DunningPolicy, at: datetime) -> bool:
    step = invoice.dunning_step
    if invoice.dunning_at is None or invoice.final_decision is not None or step >= len(policy.retries):
        return False
    return at >= invoice.dunning_at + policy.retries[step]
