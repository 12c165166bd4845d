"""Obtain a data key in the clear; its first use makes it, wrapped. Two families: erasable, statutory (DECISIONS 14).

Raises `MasterKeyMissing` where this process's master keys don't open what is there: `master_key_missing`, or for a key
that would be made `wrong_secret_key`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Session

from billing.db.bulk import insert_rows
from billing.kernel.ids import new_ids
from billing.models import DataKey
from billing.privacy.keyring import Keyring
from billing.queries.master_key import require_master_key

_KEY_BYTES = 32
_EVERYBODY = UUID("5f1e9a04-7a0f-4e0c-8f43-0c2d6f3a9b11")
"""Owner of a key that is one for the whole database."""


def profile_key(session: Session, keyring: Keyring, *, profile_id: UUID) -> bytes:
    """The profile's own key, under which its personal part is sealed. See `profile_keys`."""
    return profile_keys(session, keyring, [profile_id])[profile_id]


def profile_keys(session: Session, keyring: Keyring, profile_ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """The keys of many profiles in two or three statements, by profile id.

    Makes those that are absent; safe under races. A caller that must not make a key for an erased profile asks first.
    """
    return {owner: key for owner, (_, key) in _obtain(session, keyring, "profile", profile_ids, year=0).items()}


def document_key(session: Session, keyring: Keyring, *, seller_id: UUID, year: int) -> tuple[UUID, bytes]:
    """The row id and the key for a seller's documents issued in `year` (UTC). Kept until the statutory date."""
    return _obtain(session, keyring, "document", [seller_id], year=year)[seller_id]


def inbox_key(session: Session, keyring: Keyring, *, provider_account_id: UUID) -> bytes:
    """The key under which a provider account's event bodies are sealed."""
    return _obtain(session, keyring, "inbox", [provider_account_id], year=0)[provider_account_id][1]


def endpoint_key(session: Session, keyring: Keyring, *, endpoint_id: UUID) -> bytes:
    """The key under which an endpoint's signing secrets are sealed."""
    return _obtain(session, keyring, "endpoint", [endpoint_id], year=0)[endpoint_id][1]


def operator_key(session: Session, keyring: Keyring, *, operator_id: UUID) -> bytes:
    """The key under which an operator's second factor is sealed."""
    return _obtain(session, keyring, "operator", [operator_id], year=0)[operator_id][1]


def email_key(session: Session, keyring: Keyring) -> bytes:
    """The key of the blind index over e-mail addresses: one for all, so that rotating masters changes no index."""
    return _obtain(session, keyring, "email_index", [_EVERYBODY], year=0)[_EVERYBODY][1]


def intake_key(session: Session, keyring: Keyring) -> bytes:
    """The key that the anonymous ids of an intake follow from: one for all, so that rotating masters changes none."""
    return _obtain(session, keyring, "intake", [_EVERYBODY], year=0)[_EVERYBODY][1]


def known_intake_key(session: Session, keyring: Keyring) -> bytes | None:
    """The same, where an intake has made it: for who may write nothing."""
    found = _read(session, keyring, "intake", [_EVERYBODY], 0)
    return found[_EVERYBODY][1] if found else None


def _obtain(
    session: Session, keyring: Keyring, purpose: str, owner_ids: Sequence[UUID], *, year: int
) -> dict[UUID, tuple[UUID, bytes]]:
    found = _read(session, keyring, purpose, owner_ids, year)
    # In one order everywhere, so that two makers of the same keys wait for each other instead of deadlocking.
    absent = sorted({owner for owner in owner_ids if owner not in found})
    if not absent:
        return found
    # A key that exists doesn't open under a master key of nobody's; a new one would be made under it.
    require_master_key(session, keyring)
    rows = []
    for id_, owner in zip(new_ids(len(absent)), absent, strict=True):
        wrapped = keyring.wrap(secrets.token_bytes(_KEY_BYTES), row=id_)
        rows.append(
            {
                "id": id_,
                "purpose": purpose,
                "owner_id": owner,
                "year": year,
                "master_id": wrapped.master_id,
                "wrapped": wrapped.wrapped,
            }
        )
    # Who loses a race reads the winner's row: READ COMMITTED shows it once the insert has waited for its commit.
    insert_rows(session, DataKey, rows, unless_taken=("purpose", "owner_id", "year"))
    return found | _read(session, keyring, purpose, absent, year)


def _read(
    session: Session, keyring: Keyring, purpose: str, owner_ids: Sequence[UUID], year: int
) -> dict[UUID, tuple[UUID, bytes]]:
    query = select(DataKey.id, DataKey.owner_id, DataKey.master_id, DataKey.wrapped).where(
        DataKey.purpose == purpose,
        DataKey.owner_id == any_(literal(list(owner_ids), ARRAY(PG_UUID))),
        DataKey.year == year,
    )
    return {
        row.owner_id: (row.id, keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.id))
        for row in session.execute(query)
    }
