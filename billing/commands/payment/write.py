"""Write one intent, and one attempt with the key that it is sent under. Many at once are `open_payments`."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.payment.open import parameter_hash
from billing.kernel.ids import new_id
from billing.models import Invoice, Payment, PaymentIntent, ProviderWrite


def write_intent(
    session: Session, *, invoice: Invoice, provider_account_id: UUID, generation: int, intent_ref: str | None
) -> PaymentIntent:
    """The invoice's next live intent; `intent_ref` is None until the provider has made it. The caller holds the row."""
    intent = PaymentIntent(
        id=new_id(),
        seller_id=invoice.seller_id,
        invoice_id=invoice.id,
        provider_account_id=provider_account_id,
        generation=generation,
        intent_ref=intent_ref,
        status="open",
    )
    session.add(intent)
    session.flush()
    return intent


def write_attempt(session: Session, payment: Payment) -> None:
    """A new attempt, and its key: the attempt's own id."""
    session.add(payment)
    session.flush()
    session.add(
        ProviderWrite(
            id=new_id(),
            seller_id=payment.seller_id,
            payment_id=payment.id,
            step="charge",
            key=str(payment.id),
            parameter_hash=parameter_hash(payment),
        )
    )
