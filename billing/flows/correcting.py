"""Correcting an open invoice by hand: void it, write it off, or note that its money came another way.

The provider's intent is canceled first, outside any transaction; where it turns out to be paid or under way, that wins
and the order is refused (DECISIONS 20 and 23).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.invoice import correct
from billing.commands.invoice.compose import Wallet
from billing.commands.invoice.note import cancellation
from billing.commands.invoice.retry import has_attempt_in_flight
from billing.commands.payment.cancel import note_cancel
from billing.flows.issuing import issue_documents, open_parties
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.models import Invoice, Payment, PaymentIntent
from billing.queries.invoice import lock_invoice
from billing.queries.profile import lock_profile
from billing.queries.standing import load_standing

_SETTLING = ("succeeded", "processing")


def void(parts: Parts, invoice_id: UUID) -> None:
    """Take an open invoice back: its number stays, a cancellation document is issued, its credit is free again.

    Raises `Refused`: `invoice_not_found`, `invoice_not_open`, `payment_in_flight`; the provider's errors: then nothing
    was done here, do it again.
    """

    def take_back(session: Session, invoice: Invoice, now: datetime) -> None:
        standing = load_standing(session, profiles=[invoice.profile_id], only=[])
        parties = open_parties(parts, standing)[invoice.profile_id]
        issue_documents(parts, session, [cancellation(invoice, parties=parties)], wallet=Wallet({}, {}), now=now)
        correct.void(session, invoice=invoice, now=now)

    _correct(parts, invoice_id, take_back)


def mark_uncollectible(parts: Parts, invoice_id: UUID) -> None:
    """Write off what is still owed; it is not tried again. Raises as `void` does."""
    _correct(parts, invoice_id, lambda session, invoice, now: correct.write_off(session, invoice=invoice, now=now))


def mark_paid(parts: Parts, invoice_id: UUID, *, reference: str = "") -> None:
    """Note money that came another way for all that is owed, also when written off. Raises as `void` does."""
    _correct(
        parts,
        invoice_id,
        lambda session, invoice, now: correct.pay_externally(session, invoice=invoice, reference=reference, now=now),
        or_uncollectible=True,
    )


def _correct(
    parts: Parts,
    invoice_id: UUID,
    apply: Callable[[Session, Invoice, datetime], None],
    *,
    or_uncollectible: bool = False,
) -> None:
    with parts.begin() as session:
        _locked(session, invoice_id, or_uncollectible=or_uncollectible)
        live = session.scalars(
            select(PaymentIntent).where(
                PaymentIntent.invoice_id == invoice_id,
                PaymentIntent.status == "open",
                PaymentIntent.intent_ref.is_not(None),
            )
        ).all()
    for intent in live:
        assert intent.intent_ref is not None
        key = _noted_key(parts, intent)
        facts = parts.provider(intent.provider_account_id).cancel_intent(intent.intent_ref, key=key)
        if facts.status in _SETTLING:
            mend = "the provider has money for it, or is about to; wait for that, then refund it"
            raise Refused(Fault("invoice", "payment_in_flight", mend))
        with parts.begin() as session:
            session.get_one(PaymentIntent, intent.id, with_for_update=True).status = "canceled"
    with parts.begin() as session:
        invoice = _locked(session, invoice_id, or_uncollectible=or_uncollectible)
        apply(session, invoice, parts.clock.now(session))


def _noted_key(parts: Parts, intent: PaymentIntent) -> str:
    """The key of canceling an intent: a step of its last attempt, on record before the provider hears of it."""
    with parts.begin() as session:
        last = session.scalars(
            select(Payment.id)
            .where(Payment.payment_intent_id == intent.id)
            .order_by(Payment.attempt_no.desc())
            .limit(1)
        ).one()
        return note_cancel(session, payment_id=last, seller_id=intent.seller_id, intent_ref=intent.intent_ref or "")


def _locked(session: Session, invoice_id: UUID, *, or_uncollectible: bool) -> Invoice:
    found = session.get(Invoice, invoice_id)
    if found is None:
        raise Refused(Fault("invoice", "invoice_not_found", "give the number or the id of an invoice"))
    lock_profile(session, found.profile_id)
    invoice = lock_invoice(session, invoice_id)
    correct.require_open(invoice, or_uncollectible=or_uncollectible)
    if has_attempt_in_flight(session, invoice.id):
        mend = "an attempt is open; `billing payment resolve` asks the provider what became of it"
        raise Refused(Fault("invoice", "payment_in_flight", mend))
    return invoice
