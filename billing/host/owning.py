"""Whose an id is: a host's connection sees every seller's rows, and billing is for one of them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.models import Invoice, PaymentMethod, Profile, Subscription

_MODELS: dict[str, type[Profile | Subscription | Invoice | PaymentMethod]] = {
    "profile": Profile,
    "subscription": Subscription,
    "invoice": Invoice,
    "payment_method": PaymentMethod,
}


def check_own(session: Session, seller_id: UUID, noun: str, id_: UUID) -> None:
    """Raises `Refused` (`profile_not_found` and so on): what is another seller's is refused like what is nobody's."""
    model = _MODELS[noun]
    if session.scalar(select(model.id).where(model.id == id_, model.seller_id == seller_id)) is None:
        raise Refused(Fault(noun, f"{noun}_not_found", f"give the id of one of the seller's {noun.replace('_', ' ')}s"))
