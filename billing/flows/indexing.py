"""Indexing: profiles from before there was a blind index of e-mail addresses get theirs, some at a tick."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from billing.commands.key.obtain import email_key
from billing.commands.profile.email_index import NONE, email_index
from billing.commands.work_item.raise_item import raise_item
from billing.db.rows import change, fetch
from billing.flows.parts import Parts
from billing.kernel.work import WorkKind
from billing.privacy.sealed import SealBroken
from billing.queries.profile import open_personal

_MOST = 500

_WITHOUT = """
    SELECT p.id, p.seller_id, p.personal, k.id AS key_id, k.master_id, k.wrapped
    FROM billing.profile p
    LEFT JOIN billing.data_key k ON k.purpose = 'profile' AND k.owner_id = p.id AND k.year = 0
    WHERE p.email_index IS NULL AND (k.id IS NULL OR k.master_id = ANY(%(masters)s))
    ORDER BY p.id LIMIT %(most)s FOR NO KEY UPDATE OF p SKIP LOCKED
"""
# No version is raised: nothing that anybody may have read is another now.
_GIVE = """
    UPDATE billing.profile p SET email_index = new.email_index
    FROM unnest(%(ids)s::uuid[], %(indexes)s::bytea[]) AS new(id, email_index) WHERE p.id = new.id
"""


def index_emails(parts: Parts) -> int:
    """Give profiles their index; one without a key was erased and gets the empty one. Returns how many.

    So does one whose seal is broken, as a person's work: it never opens by itself, and holds up no other. One whose
    master key is not at hand waits for that.
    """
    with parts.begin() as session:
        rows = fetch(session, _WITHOUT, masters=list(parts.keyring.master_ids), most=_MOST)
        if not rows:
            return 0
        key = email_key(session, parts.keyring)
        indexes = {row.id: _index(parts, key, row) for row in rows}
        now = parts.clock.now(session)
        for row in rows:
            if indexes[row.id] is None:
                _tell(session, row, now)
        return change(session, _GIVE, ids=list(indexes), indexes=[index or NONE for index in indexes.values()])


def _index(parts: Parts, key: bytes, row: Any) -> bytes | None:
    """None where the seal is broken."""
    if row.key_id is None:
        return NONE
    try:
        own = parts.keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.key_id)
        return email_index(key, open_personal(row.personal, key=own, profile_id=row.id).email)
    except SealBroken:
        return None


def _tell(session: Session, row: Any, now: datetime) -> None:
    raise_item(
        session,
        kind=WorkKind.TASK_FAILED,
        subject_type="profile",
        subject_id=row.id,
        seller_id=row.seller_id,
        profile_id=row.id,
        summary="What is personal of this customer does not open: no e-mail address finds them any more.",
        error=SealBroken.__name__,
        safe_actions=["park", "discard"],
        now=now,
    )
