"""Age the keys of refunds that no row shows as sent: in a restored database they may have been."""

from __future__ import annotations

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from billing.kernel.status import OPEN_REFUND
from billing.models import Refund


def age_keys(session: Session) -> None:
    """Count every open refund's key from its order on, the earliest that it can have been sent. Repeatable."""
    session.execute(
        update(Refund)
        .where(Refund.status.in_(OPEN_REFUND), Refund.first_sent_at.is_(None))
        .values(first_sent_at=Refund.opened_at, version=Refund.version + 1, updated_at=func.clock_timestamp())
    )
