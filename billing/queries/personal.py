"""Every personal value in the database, opened, one after the other: for the proof that none of them left the house."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from billing.privacy.keyring import Keyring
from billing.privacy.sealed import unseal

_PROFILES = text(
    """
    SELECT p.id, p.personal AS sealed, k.id AS key_id, k.master_id, k.wrapped
    FROM billing.profile p JOIN billing.data_key k ON k.purpose = 'profile' AND k.owner_id = p.id
    WHERE p.erased_at IS NULL
    """
)
_DOCUMENTS = text(
    """
    SELECT i.id, i.parties AS sealed, k.id AS key_id, k.master_id, k.wrapped
    FROM billing.invoice i JOIN billing.data_key k ON k.id = i.document_key_id
    """
)


def personal_values(session: Session, keyring: Keyring) -> Iterator[tuple[str, str]]:
    """(where, value) of customers, and of buyers as documents keep them: earlier names and forgotten people too."""
    opened: dict[UUID, bytes] = {}
    for row in session.execute(_PROFILES, execution_options={"yield_per": 1000}):
        yield from _leaves("profile", _opened(keyring, opened, row, "profile", "personal"))
    seen: set[tuple[str, str]] = set()
    for row in session.execute(_DOCUMENTS, execution_options={"yield_per": 1000}):
        for each in _leaves("document", _opened(keyring, opened, row, "invoice", "parties")["buyer"]):
            if each not in seen:
                seen.add(each)
                yield each


def _opened(keyring: Keyring, opened: dict[UUID, bytes], row: Row[Any], table: str, column: str) -> dict[str, Any]:
    if row.key_id not in opened:
        opened[row.key_id] = keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.key_id)
    plain: dict[str, Any] = json.loads(unseal(opened[row.key_id], row.sealed, table=table, row=row.id, column=column))
    return plain


def _leaves(where: str, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _leaves(f"{where}.{name}", inner)
        elif inner and name != "country":
            yield f"{where}.{name}", str(inner)
