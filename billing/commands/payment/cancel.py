"""Note that an intent is canceled: a step of its last attempt, under a key of its own (DECISIONS 20)."""

from __future__ import annotations

import hashlib
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.bulk import insert_rows
from billing.kernel.ids import new_id
from billing.models import ProviderWrite


def note_cancel(session: Session, *, payment_id: UUID, seller_id: UUID, intent_ref: str) -> str:
    """Write the step down, once, and return its key."""
    key = f"{payment_id}:cancel"
    row = {
        "id": new_id(),
        "seller_id": seller_id,
        "payment_id": payment_id,
        "step": "cancel",
        "key": key,
        "parameter_hash": hashlib.sha256(intent_ref.encode()).hexdigest(),
    }
    insert_rows(session, ProviderWrite, [row], unless_taken=("key",))
    return key
