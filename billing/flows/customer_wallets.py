"""PayPal at the customer's page: customers see one, whoever charges it; and whether they may give a card."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.payment_method.offered import offered_kinds
from billing.flows.parts import Parts
from billing.kernel.kinds import MethodKind, takes
from billing.models import Profile, ProviderAccount

FORM = "stripe"
"""The provider whose form stands on the page."""
PAYPAL = "paypal"


def offers_cards(session: Session, profile: Profile) -> bool:
    """Whether the seller lets its customers give cards."""
    return MethodKind.CARD in offered_kinds(session, seller_id=profile.seller_id, provider=FORM)


def wallets_provider(
    parts: Parts, session: Session, profile: Profile, *, script_key: str | None, currency: str
) -> str | None:
    """Through whom a wallet may be given; None where it may not. `currency`: of what is owed.

    Where both could take it, what the seller says of it goes before what is set up (docs/decisions/0019).
    """
    if not parts.settings.billing_public_url:
        return None
    offered = offered_kinds(session, seller_id=profile.seller_id, provider=FORM)
    if script_key and MethodKind.STRIPE_PAYPAL in offered and takes(MethodKind.STRIPE_PAYPAL, currency):
        return FORM
    if (PAYPAL, "default") not in parts.settings.provider_accounts:
        return None
    pinned = select(ProviderAccount.id).where(ProviderAccount.provider == PAYPAL, ProviderAccount.code == "default")
    return PAYPAL if session.scalar(pinned) is not None else None
