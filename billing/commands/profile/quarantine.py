"""Quarantine: a customer whose books don't agree is parked with a work item; everybody else goes on."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.work_item.raise_item import raise_item
from billing.kernel.work import WorkKind
from billing.models import Profile

QUARANTINED = WorkKind.CUSTOMER_QUARANTINED
"""Kind of the work item. While it holds the profile, nothing of the customer is billed, opened or sent."""


def quarantine(session: Session, *, profile_id: UUID, detail: str, now: datetime) -> bool:
    """Put the customer on hold; False where another hold stands already, which is left as it is.

    `detail` names the rows that disagree: ids, numbers and amounts only.
    """
    profile = session.get_one(Profile, profile_id, with_for_update={"key_share": True}, populate_existing=True)
    item = raise_item(
        session,
        kind=QUARANTINED,
        subject_type="profile",
        subject_id=profile.id,
        seller_id=profile.seller_id,
        profile_id=profile.id,
        summary="This customer's rows don't agree with each other; nothing more is billed or charged until they do.",
        error=detail,
        safe_actions=["retry", "park"],
        now=now,
    )
    if profile.hold_id is not None:
        return False
    profile.hold_id = item.id
    session.flush()
    return True


def lift_quarantine(session: Session, *, profile_id: UUID) -> bool:
    """Lift the customer's hold; False where there is none."""
    profile = session.get_one(Profile, profile_id, with_for_update={"key_share": True}, populate_existing=True)
    if profile.hold_id is None:
        return False
    profile.hold_id = None
    session.flush()
    return True
