"""Reads of profiles, the sealed part among them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.models import Profile
from billing.privacy.keyring import Keyring
from billing.privacy.sealed import unseal
from billing.validators.address import Address
from billing.validators.profile import Personal


def open_personal(sealed: bytes, *, key: bytes, profile_id: UUID) -> Personal:
    """The personal part of one row under its opened key. Raises `SealBroken`."""
    plain = json.loads(unseal(key, sealed, table="profile", row=profile_id, column="personal"))
    address = {name: value for name, value in plain["address"].items() if name != "country"}
    return Personal(name=plain["name"], email=plain["email"], address=Address(**address), tax_id=plain["tax_id"])


@dataclass(frozen=True, slots=True)
class KnownProfile:
    """A profile as an import compares it."""

    id: UUID
    anonymous_id: UUID
    country: str
    timezone: str
    buyer_kind: str
    personal: Personal


_KNOWN = text(
    """
    SELECT p.id, p.account_id, p.anonymous_id, p.country, p.timezone, p.buyer_kind, p.personal,
           k.id AS key_id, k.master_id, k.wrapped
    FROM billing.profile p
    JOIN billing.data_key k ON k.purpose = 'profile' AND k.owner_id = p.id AND k.year = 0
    WHERE p.seller_id = :seller AND p.account_id = ANY(:accounts)
    """
)


def known_profiles(
    session: Session, keyring: Keyring, *, seller_id: UUID, account_ids: Sequence[str]
) -> dict[str, KnownProfile]:
    """The profiles of these accounts, opened, by account id; one statement. An erased one (no key) is left out."""
    found = session.execute(_KNOWN, {"seller": seller_id, "accounts": list(account_ids)})
    profiles = {}
    for row in found:
        key = keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.key_id)
        personal = open_personal(row.personal, key=key, profile_id=row.id)
        profiles[row.account_id] = KnownProfile(
            row.id, row.anonymous_id, row.country, row.timezone, row.buyer_kind, personal
        )
    return profiles


def lock_profile(session: Session, profile_id: UUID) -> Profile:
    """The profile's row, locked until the transaction ends. Raises `Refused` (`profile_not_found`).

    Rows that name it may be written meanwhile: two that have done so and then lock it would wait for each other.
    """
    profile = session.get(Profile, profile_id, with_for_update={"key_share": True}, populate_existing=True)
    if profile is None:
        raise Refused(Fault("profile", "profile_not_found", "give the id of a profile"))
    return profile


def lock_person(session: Session, profile_id: UUID) -> Profile:
    """As `lock_profile`, of somebody who was not forgotten: nothing new begins for who was.

    Raises `Refused`: `profile_not_found`, `profile_erased`.
    """
    profile = lock_profile(session, profile_id)
    if profile.erased_at is not None:
        raise Refused(Fault("profile", "profile_erased", "the person was forgotten; make a new profile"))
    return profile


def lock_to_forget(session: Session, profile_id: UUID) -> Profile:
    """The profile's row, locked against rows that name it too. Raises `Refused` (`profile_not_found`)."""
    profile = session.get(Profile, profile_id, with_for_update=True, populate_existing=True)
    if profile is None:
        raise Refused(Fault("profile", "profile_not_found", "give the id of a profile"))
    return profile


def accounts(session: Session, *, seller_id: UUID, account_ids: Sequence[str]) -> dict[str, tuple[UUID, str]]:
    """(profile id, zone) of these accounts, by account id; one statement. None of them is forgotten meanwhile."""
    query = text(
        "SELECT account_id, id, timezone FROM billing.profile "
        "WHERE seller_id = :seller AND account_id = ANY(:accounts) AND erased_at IS NULL FOR KEY SHARE"
    )
    found = session.execute(query, {"seller": seller_id, "accounts": list(account_ids)})
    return {row.account_id: (row.id, row.timezone) for row in found}
