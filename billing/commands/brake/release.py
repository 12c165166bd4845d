"""Release a brake: what came due meanwhile is found by the next sweep, as always."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.models import Brake


def release_brake(session: Session, *, brake_id: UUID, now: datetime) -> bool:
    """Release it at business time `now`; False where it is not in force. Its work item is left to the caller."""
    brake = session.get(Brake, brake_id, with_for_update=True, populate_existing=True)
    if brake is None or brake.released_at is not None:
        return False
    brake.released_at = now
    session.flush()
    return True
