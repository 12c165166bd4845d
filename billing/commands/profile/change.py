"""Change a profile. Documents that were issued keep what they said."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.expected_version import require_version
from billing.commands.key.obtain import email_key, profile_key
from billing.commands.profile.email_index import email_index
from billing.commands.profile.sealing import seal_personal
from billing.commands.profile.tax_id import tax_id_facts
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.models import Seller
from billing.privacy.keyring import Keyring
from billing.queries.profile import lock_person
from billing.validators.profile import ProfileChange, check_profile_change


def change_profile(
    session: Session,
    keyring: Keyring,
    *,
    profile_id: UUID,
    change: ProfileChange,
    now: datetime,
    expected_version: int | None = None,
) -> None:
    """Write the new state whole. The zone of running subscriptions stays: it fixes their boundaries.

    Raises `Refused`: the faults of `check_profile_change`, `profile_not_found`, `profile_erased`; `Stale`.
    """
    check_profile_change(change)
    profile = lock_person(session, profile_id)
    require_version(profile, expected_version)
    key = profile_key(session, keyring, profile_id=profile_id)
    profile.country = change.country
    profile.timezone = change.timezone
    profile.buyer_kind = change.buyer_kind
    home = session.get_one(Seller, profile.seller_id).country
    profile.has_tax_id, profile.tax_id_check = tax_id_facts(
        change.personal.tax_id, country=change.country, seller_country=home, now=now
    )
    profile.tax_id_ask_at = None
    profile.personal = seal_personal(change.personal, country=change.country, key=key, profile_id=profile_id)
    profile.email_index = email_index(email_key(session, keyring), change.personal.email)
    session.flush()
    emit(
        session,
        topic=Topic.PROFILE_UPDATED,
        object_type="profile",
        object_id=profile_id,
        seller_id=profile.seller_id,
        now=now,
    )
