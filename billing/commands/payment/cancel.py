"""Note that an intent is canceled: a step of its last attempt, under a key of its own (DECISIONS 20)."""

from __future__ import annotations

import hashlib
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.db.bulk import insert_rows
from billing.kernel.ids import new_id
from billing.models import ProviderWrite

MOST = 9
"""Steps that cancel, in an attempt's life: `cancel`, then `cancel_2` and so on."""


def note_cancel(
    session: Session, *, payment_id: UUID, seller_id: UUID, intent_ref: str, spent: int = 0
) -> tuple[int, str]:
    """Write the step down, once, and return its number and key: that of the last one on record, or of the first.

    `spent`: the number of a step whose key holds an answer that will never change; the one after it is due.
    """
    of_attempt = (ProviderWrite.payment_id == payment_id, ProviderWrite.step.like("cancel%"))
    on_record = session.scalar(select(func.count()).where(*of_attempt)) or 0
    number = max(on_record, spent + 1)
    step = "cancel" if number == 1 else f"cancel_{number}"
    row = {
        "id": new_id(),
        "seller_id": seller_id,
        "payment_id": payment_id,
        "step": step,
        "key": f"{payment_id}:{step}",
        "parameter_hash": hashlib.sha256(intent_ref.encode()).hexdigest(),
    }
    insert_rows(session, ProviderWrite, [row], unless_taken=("key",))
    return number, f"{payment_id}:{step}"
