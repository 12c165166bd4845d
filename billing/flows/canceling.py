"""Canceling intents at the provider, outside any transaction, so that nobody pays what is owed no more."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from billing.commands.payment.cancel import MOST, note_cancel
from billing.flows.parts import Parts
from billing.kernel.errors import ProviderUncertain
from billing.models import Payment, PaymentIntent
from billing.providers.port import IntentFacts
from billing.rules.rate import Rank

_SETTLING = ("succeeded", "processing")


def cancel_intents(parts: Parts, invoices: Sequence[UUID]) -> bool:
    """Cancel every live intent of these invoices. False where one has moved money, or is about to: that wins.

    Each is a step of its intent's last attempt, on record before the provider hears of it. Safe to repeat. Raises the
    provider's errors: then nothing is known of the intent at hand; do it again.
    """
    with parts.begin() as session:
        live = session.scalars(
            select(PaymentIntent).where(
                PaymentIntent.invoice_id.in_(invoices),
                PaymentIntent.status == "open",
                PaymentIntent.intent_ref.is_not(None),
            )
        ).all()
    return all(_canceled(parts, intent) for intent in live)


def _canceled(parts: Parts, intent: PaymentIntent) -> bool:
    number, key = _noted(parts, intent)
    try:
        facts = _ask(parts, intent, key)
    except ProviderUncertain as unclear:
        if not unclear.key_spent or number == MOST:
            raise
        # The provider keeps a failure under this key, and the intent as read since then shows that it did nothing.
        _, key = _noted(parts, intent, spent=number)
        facts = _ask(parts, intent, key)
    if facts.status in _SETTLING:
        return False
    with parts.begin() as session:
        session.get_one(PaymentIntent, intent.id, with_for_update=True).status = "canceled"
    return True


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
