"""End a key of the HTTP API: at once, or when its successor has taken over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.models import ApiKey


def end_key(session: Session, *, key: ApiKey, at: datetime) -> bool:
    """Make the locked key worthless from `at` (wall time). False where it ends as early already."""
    if key.expires_at is not None and key.expires_at <= at:
        return False
    key.expires_at = at
    session.flush()
    return True
