"""Write down a method that the provider binds to a person who was forgotten meanwhile: only to be detached."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.payment_method.owe_detachment import owe_detachment
from billing.kernel.ids import new_id
from billing.kernel.status import MethodStatus
from billing.models import PaymentMethod, Profile
from billing.providers.port import MethodFacts
from billing.validators.payment_method import Consent


def leave_behind(
    session: Session, *, profile: Profile, provider_account_id: UUID, facts: MethodFacts, consent: Consent
) -> PaymentMethod:
    """A detached row with the provider's id and nothing of what the method looks like."""
    method = PaymentMethod(
        id=new_id(),
        seller_id=profile.seller_id,
        profile_id=profile.id,
        provider_account_id=provider_account_id,
        kind=facts.kind,
        status=MethodStatus.DETACHED,
        is_default=False,
        method_ref=facts.method_ref,
        consent_text_version=consent.text_version,
        consent_at=consent.given_at,
        consent_channel=consent.channel,
    )
    session.add(method)
    owe_detachment(session, method=method)
    return method
