"""Canceling intents at the provider, outside any transaction, so that nobody pays what is owed no more."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.payment.cancel import MOST, note_cancel
from billing.commands.payment.not_canceled import tell_not_canceled
from billing.commands.payment.record_one import CANCEL_SPENT
from billing.commands.payment.unapplied import spend
from billing.flows.parts import Parts
from billing.kernel.errors import BillingError, Fault, ProviderRefused, ProviderUncertain, Refused
from billing.models import Invoice, Payment, PaymentIntent, UnappliedPayment
from billing.providers.port import IntentFacts
from billing.rules.rate import Rank

_SETTLING = ("succeeded", "processing")


class _KeysSpent(ProviderUncertain):
    """The provider keeps a failure under each of the keys that cancel the intent."""


def cancel_intents(parts: Parts, invoices: Sequence[UUID]) -> bool:
    """Cancel every live intent of these invoices. False where one has moved money, or is about to: that wins.

    Money that was kept apart wins nothing any more: its intent is spent.

    Each is a step of its intent's last attempt, on record before the provider hears of it. Safe to repeat. Raises the
    provider's errors: then nothing is known of the intent at hand; do it again.
    """
    with parts.begin() as session:
        live = _live(session, invoices)
    return all(_canceled(parts, intent) for intent in live)


def tell_stuck(parts: Parts, invoices: Sequence[UUID], error: BillingError) -> None:
    """A sweep, or the customer, needed them canceled, and it raised this: where it won't pass by itself, tell a person.

    It won't where the provider refuses, its account has no key here, or it keeps a failure under our last key.
    """
    if isinstance(error, _KeysSpent):
        reason = CANCEL_SPENT
    elif isinstance(error, (ProviderRefused, Refused)):
        reason = error.code
    else:
        return
    with parts.begin() as session:
        now = parts.clock.now(session)
        for invoice_id in sorted({intent.invoice_id for intent in _live(session, invoices)}):
            tell_not_canceled(session, invoice=session.get_one(Invoice, invoice_id), error=reason, now=now)


def require_canceled(session: Session, invoice_id: UUID) -> None:
    """Raise `Refused` (`payment_in_flight`) where a try since `cancel_intents` has left an intent that may still move
    the amount as it was. The caller holds the invoice: no other try begins.
    """
    if not all_canceled(session, [invoice_id]):
        mend = "it was tried meanwhile, and the provider may still collect it; order it again"
        raise Refused(Fault("invoice", "payment_in_flight", mend))


def all_canceled(session: Session, invoices: Sequence[UUID]) -> bool:
    """Whether no try since `cancel_intents` has left one. The caller holds the invoices."""
    return not _live(session, invoices)


def _live(session: Session, invoices: Sequence[UUID]) -> Sequence[PaymentIntent]:
    """Intents that the provider knows and may still collect."""
    of_them = (
        PaymentIntent.invoice_id.in_(invoices),
        PaymentIntent.status == "open",
        PaymentIntent.intent_ref.is_not(None),
    )
    return session.scalars(select(PaymentIntent).where(*of_them)).all()


def _canceled(parts: Parts, intent: PaymentIntent) -> bool:
    number, key = _noted(parts, intent)
    try:
        facts = _ask(parts, intent, key)
    except ProviderUncertain as unclear:
        if unclear.key_spent and number == MOST:
            raise _KeysSpent(str(unclear), key_spent=True, reach=unclear.reach) from unclear
        if not unclear.key_spent:
            raise
        # The provider keeps a failure under this key, and the intent as read since then shows that it did nothing.
        _, key = _noted(parts, intent, spent=number)
        facts = _ask(parts, intent, key)
    with parts.begin() as session:
        locked = session.get_one(PaymentIntent, intent.id, with_for_update=True)
        if facts.status not in _SETTLING:
            locked.status = "canceled"
            return True
        if not _is_kept_apart(session, locked, facts):
            return False
        spend(locked, intent_ref=facts.intent_ref)
    return True


def _is_kept_apart(session: Session, intent: PaymentIntent, facts: IntentFacts) -> bool:
    """Whether what it moved is booked already as money that met no debt: then it moves no more, and settles nothing."""
    charge = facts.latest_charge
    if facts.status != "succeeded" or charge is None:
        return False
    of_it = (
        UnappliedPayment.provider_account_id == intent.provider_account_id,
        UnappliedPayment.charge_ref == charge.charge_ref,
    )
    return session.scalars(select(UnappliedPayment.id).where(*of_it)).first() is not None


def _noted(parts: Parts, intent: PaymentIntent, *, spent: int = 0) -> tuple[int, str]:
    with parts.begin() as session:
        of_it = (Payment.invoice_id == intent.invoice_id, Payment.payment_intent_id == intent.id)
        last = session.scalars(select(Payment.id).where(*of_it).order_by(Payment.attempt_no.desc()).limit(1)).one()
        return note_cancel(session, payment_id=last, seller_id=intent.seller_id, intent_ref=_ref(intent), spent=spent)


def _ask(parts: Parts, intent: PaymentIntent, key: str) -> IntentFacts:
    return parts.provider(intent.provider_account_id, rank=Rank.ON_SESSION).cancel_intent(_ref(intent), key=key)


def _ref(intent: PaymentIntent) -> str:
    assert intent.intent_ref is not None
    return intent.intent_ref
