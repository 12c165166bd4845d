"""Claim an idempotency key for a request: it is new, or was answered, or is being worked on this moment."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.privacy.keyring import missing_master

LIFE_H = 24
"""Hours of wall time for which an answer is kept. Then the key is as good as new."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What was answered; the body is sealed for the row of that id."""

    id: UUID
    status: int
    body: bytes


_TAKE = text("SELECT pg_try_advisory_xact_lock(hashtextextended(CAST(:seller AS text) || '/' || :key, 20261126))")
_FIND = text(
    f"""
    SELECT id, status, body, request_hash, master_id,
           created_at > clock_timestamp() - interval '{LIFE_H} hours' AS alive
    FROM billing.api_answer WHERE seller_id = :seller AND key = :key
    """  # noqa: S608 (our own number)
)
_FORGET = text("DELETE FROM billing.api_answer WHERE seller_id = :seller AND key = :key")


def find_answer(session: Session, *, seller_id: UUID, key: str, hashes: Mapping[str, bytes]) -> StoredAnswer | None:
    """What this request was answered, where it was. `hashes`: of the request, by the id of each master key.

    Raises `Refused` (`idempotency_key_reused`) where another request has the key; `MasterKeyMissing` where it can't be
    told here: a process with a newer master key has answered it, or the key is gone.
    """
    row = session.execute(_FIND, {"seller": seller_id, "key": key}).one_or_none()
    if row is None or not row.alive:
        return None
    if row.master_id is not None and row.master_id not in hashes:
        raise missing_master(row.master_id)
    if not any(hmac.compare_digest(row.request_hash, each) for each in hashes.values()):
        mend = "another request was made under this key; give each request a key of its own"
        raise Refused(Fault("Idempotency-Key", "idempotency_key_reused", mend))
    return StoredAnswer(row.id, row.status, row.body)


def claim_key(session: Session, *, seller_id: UUID, key: str, hashes: Mapping[str, bytes]) -> StoredAnswer | None:
    """Hold the key until the transaction ends. Returns the answer where there is one already.

    Raises as `find_answer`, and `Refused` (`idempotency_key_in_use`) where another request works under it now.
    """
    names = {"seller": seller_id, "key": key}
    if not session.scalar(_TAKE, names):
        mend = "a request under this key is being carried out; wait, then ask again"
        raise Refused(Fault("Idempotency-Key", "idempotency_key_in_use", mend))
    found = find_answer(session, seller_id=seller_id, key=key, hashes=hashes)
    if found is None:
        session.execute(_FORGET, names)
    return found
