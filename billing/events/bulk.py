"""The outbox on hot paths: many events of one topic by COPY, with payloads that are JSON text already."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.copy import copy_rows, field
from billing.events.topics import Topic
from billing.kernel.ids import new_ids

_COLUMNS = ("id", "seller_id", "topic", "object_type", "object_id", "occurred_at", "payload")


def payload(**values: object) -> str:
    """A payload as JSON text: ids become text."""
    return json.dumps(values, default=str, separators=(",", ":"))


def emit_many(
    session: Session,
    *,
    topic: Topic,
    object_type: str,
    now: datetime,
    events: Iterable[tuple[UUID, UUID, str]],
) -> None:
    """Write (seller, object, payload JSON) in the order given. Payloads hold ids, codes, amounts; nothing personal."""
    waiting = list(events)
    at = now.isoformat()
    copy_rows(
        session,
        "outbox",
        _COLUMNS,
        (
            f"{id_.hex}\t{seller.hex}\t{topic}\t{object_type}\t{object_id.hex}\t{at}\t{field(payload)}"
            for id_, (seller, object_id, payload) in zip(new_ids(len(waiting)), waiting, strict=True)
        ),
    )
