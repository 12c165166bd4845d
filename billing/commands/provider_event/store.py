"""Store verified deliveries once: unique (provider account, event id), bodies sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.rows import fetch
from billing.kernel.ids import new_ids
from billing.privacy.sealed import seal
from billing.providers.events import EventFacts

# In one order, whatever theirs: what is delivered is read from the provider's list at the same moment.
_INSERT = """
    INSERT INTO billing.provider_event
        (id, provider_account_id, event_ref, type, object_ref, object_type, charge_ref, occurred_at, livemode,
         secret_index, body, body_hash, status, tries, token, next_try_at, version)
    SELECT id, %(account)s, event_ref, type, object_ref, object_type, charge_ref, occurred_at, livemode,
           secret_index, body, body_hash, 'received', 0, 0,
           clock_timestamp() + make_interval(secs => %(grace_s)s), 1
    FROM unnest(%(ids)b::uuid[], %(refs)b::text[], %(types)b::text[], %(objects)b::text[], %(kinds)b::text[],
                %(charges)b::text[], %(ats)b::timestamptz[], %(modes)b::boolean[], %(secrets)b::int[],
                %(bodies)b::bytea[], %(hashes)b::bytea[])
         AS told(id, event_ref, type, object_ref, object_type, charge_ref, occurred_at, livemode, secret_index,
                 body, body_hash)
    ORDER BY event_ref
    ON CONFLICT (provider_account_id, event_ref) DO NOTHING
    RETURNING id
"""


def store(
    session: Session, *, account_id: UUID, events: Sequence[tuple[EventFacts, bytes]], key: bytes, grace_s: float
) -> list[UUID | None]:
    """Insert each event with its raw body. Returns their ids in order; None where it is here already.

    The sweep looks for them after `grace_s` (wall seconds).
    """
    ids = new_ids(len(events))
    facts = [each for each, _ in events]
    written = fetch(
        session,
        _INSERT,
        account=account_id,
        grace_s=grace_s,
        ids=ids,
        refs=[each.event_ref for each in facts],
        types=[each.type for each in facts],
        objects=[each.object_ref for each in facts],
        kinds=[each.object_type for each in facts],
        charges=[each.charge_ref for each in facts],
        ats=[each.created for each in facts],
        modes=[each.livemode for each in facts],
        secrets=[each.secret_index for each in facts],
        bodies=[
            seal(key, raw, table="provider_event", row=id_, column="body")
            for id_, (_, raw) in zip(ids, events, strict=True)
        ],
        hashes=[hashlib.sha256(raw).digest() for _, raw in events],
    )
    new = {row.id for row in written}
    return [id_ if id_ in new else None for id_ in ids]
