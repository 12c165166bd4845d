"""Store a verified delivery once: unique (provider account, event id), body sealed."""

from __future__ import annotations

import hashlib
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.privacy.sealed import seal
from billing.providers.port import EventFacts

_INSERT = text(
    """
    INSERT INTO billing.provider_event
        (id, provider_account_id, event_ref, type, object_ref, object_type, occurred_at, livemode, secret_index,
         body, body_hash, status, tries, token, next_try_at, version)
    VALUES (:id, :account, :event_ref, :type, :object_ref, :object_type, :occurred_at, :livemode, :secret_index,
            :body, :body_hash, 'received', 0, 0, clock_timestamp() + make_interval(secs => :grace_s), 1)
    ON CONFLICT (provider_account_id, event_ref) DO NOTHING
    RETURNING id
    """
)


def store(
    session: Session, *, account_id: UUID, facts: EventFacts, raw: bytes, key: bytes, grace_s: float
) -> UUID | None:
    """Insert the event; None where it is here already. The sweep looks for it after `grace_s` (wall seconds)."""
    id_ = new_id()
    return session.execute(
        _INSERT,
        {
            "id": id_,
            "account": account_id,
            "event_ref": facts.event_ref,
            "type": facts.type,
            "object_ref": facts.object_ref,
            "object_type": facts.object_type,
            "occurred_at": facts.created,
            "livemode": facts.livemode,
            "secret_index": facts.secret_index,
            "body": seal(key, raw, table="provider_event", row=id_, column="body"),
            "body_hash": hashlib.sha256(raw).digest(),
            "grace_s": grace_s,
        },
    ).scalar_one_or_none()
