"""Indexing: profiles from before there was a blind index of e-mail addresses get theirs, some at a tick."""

from __future__ import annotations

from typing import Any

import structlog

from billing.commands.key.obtain import email_key
from billing.commands.profile.email_index import NONE, email_index
from billing.db.rows import change, fetch
from billing.flows.parts import Parts
from billing.privacy.sealed import SealBroken
from billing.queries.profile import open_personal

_log = structlog.get_logger(__name__)

_MOST = 500

_WITHOUT = """
    SELECT p.id, p.personal, k.id AS key_id, k.master_id, k.wrapped
    FROM billing.profile p
    LEFT JOIN billing.data_key k ON k.purpose = 'profile' AND k.owner_id = p.id AND k.year = 0
    WHERE p.email_index IS NULL ORDER BY p.id LIMIT %(most)s FOR NO KEY UPDATE OF p SKIP LOCKED
"""
# No version is raised: nothing that anybody may have read is another now.
_GIVE = """
    UPDATE billing.profile p SET email_index = new.email_index
    FROM unnest(%(ids)s::uuid[], %(indexes)s::bytea[]) AS new(id, email_index) WHERE p.id = new.id
"""


def index_emails(parts: Parts) -> int:
    """Give profiles their index; one without a key was erased and gets the empty one. Returns how many."""
    with parts.begin() as session:
        rows = fetch(session, _WITHOUT, most=_MOST)
        if not rows:
            return 0
        key, indexes = email_key(session, parts.keyring), []
        for row in rows:
            if row.key_id is None:
                indexes.append(NONE)
                continue
            indexes.append(email_index(key, _email(parts, row)))
        return change(session, _GIVE, ids=[row.id for row in rows], indexes=indexes)


def _email(parts: Parts, row: Any) -> str | None:
    """None where nobody can read it: such a profile holds up no other, and its next invoice makes a person's work."""
    try:
        own = parts.keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.key_id)
        return open_personal(row.personal, key=own, profile_id=row.id).email
    except SealBroken:
        _log.warning("profile_not_indexed", profile=str(row.id))
        return None
