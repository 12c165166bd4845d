"""Create profiles, their personal part sealed from the first write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from billing.commands.key.obtain import email_key, profile_keys
from billing.commands.profile.email_index import email_index
from billing.commands.profile.sealing import seal_personal
from billing.commands.profile.tax_id import tax_id_facts
from billing.db.bulk import insert_rows
from billing.events.bulk import emit_many
from billing.events.topics import Topic
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_ids
from billing.models import Profile, Seller
from billing.privacy.keyring import Keyring
from billing.validators.profile import NewProfile, check_new_profile


def create_profiles(
    session: Session, keyring: Keyring, *, seller_id: UUID, new: Sequence[NewProfile], now: datetime
) -> dict[str, UUID]:
    """Write profiles and their keys in a handful of statements; return the ids by account id.

    Raises `Refused`: the faults of `check_new_profile`, `account_taken`.
    """
    if not new:
        return {}
    for profile in new:
        check_new_profile(profile)
    home = session.get_one(Seller, seller_id).country
    ids = new_ids(len(new))
    keys = profile_keys(session, keyring, ids)
    index_key = email_key(session, keyring)
    rows = [
        _row(id_, seller_id, profile, keys[id_], index_key) | _tax_columns(profile, home=home, now=now)
        for id_, profile in zip(ids, new, strict=True)
    ]
    taken_by, told = ("seller_id", "account_id"), ("account_id", "id")
    made = {
        row.account_id: row.id for row in insert_rows(session, Profile, rows, unless_taken=taken_by, returning=told)
    }
    if taken := [profile.account_id for profile in new if profile.account_id not in made]:
        raise Refused(
            [Fault("account_id", "account_taken", f"account {id_} has a profile; change it") for id_ in taken]
        )
    emit_many(
        session,
        topic=Topic.PROFILE_CREATED,
        object_type="profile",
        now=now,
        events=[(seller_id, id_, "{}") for id_ in made.values()],
    )
    return made


def create_profile(session: Session, keyring: Keyring, *, seller_id: UUID, new: NewProfile, now: datetime) -> Profile:
    """Write one profile. See `create_profiles`."""
    ids = create_profiles(session, keyring, seller_id=seller_id, new=[new], now=now)
    return session.get_one(Profile, ids[new.account_id])


def _row(id_: UUID, seller_id: UUID, new: NewProfile, key: bytes, index_key: bytes) -> dict[str, object]:
    return {
        "id": id_,
        "seller_id": seller_id,
        "account_id": new.account_id,
        "anonymous_id": new.anonymous_id or uuid4(),
        "country": new.country,
        "timezone": new.timezone,
        "buyer_kind": new.buyer_kind,
        "personal": seal_personal(new.personal, country=new.country, key=key, profile_id=id_),
        "email_index": email_index(index_key, new.personal.email),
        "version": 1,
    }


def _tax_columns(new: NewProfile, *, home: str, now: datetime) -> dict[str, object]:
    reversible, check = tax_id_facts(new.personal.tax_id, country=new.country, seller_country=home, now=now)
    return {"has_tax_id": reversible, "tax_id_check": None if check is None else json.dumps(check)}
