"""Which kind of method a customer may set up: one that the provider can and that their seller offers."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.kernel.kinds import KINDS_OF
from billing.models import Profile, ProviderAccount, Seller


def offered_kinds(session: Session, *, seller_id: UUID, provider: str) -> tuple[str, ...]:
    """Kinds that the seller's customers may set up at this provider, the usual one first."""
    kinds = KINDS_OF[provider]
    if len(kinds) == 1:
        return kinds
    chosen = session.get_one(Seller, seller_id).method_kinds
    return tuple(kind for kind in kinds if kind in chosen)


def require_offered(session: Session, *, profile_id: UUID, provider_account_id: UUID, kind: str | None) -> str:
    """The kind asked for; without one, the first that is offered. Raises `Refused` (`method_kind_not_offered`)."""
    profile = session.get(Profile, profile_id)
    if profile is None:
        raise Refused(Fault("profile", "profile_not_found", "give the id of a customer"))
    provider = session.get_one(ProviderAccount, provider_account_id).provider
    kinds = offered_kinds(session, seller_id=profile.seller_id, provider=provider)
    if kind is None and kinds:
        return kinds[0]
    if kind not in kinds:
        mend = f"ask for one of {', '.join(kinds)}, or let the seller offer it (method_kinds)"
        raise Refused(Fault("kind", "method_kind_not_offered", mend))
    return kind
