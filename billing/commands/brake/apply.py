"""Apply a brake: from the next statement on nothing of it is planned, opened or sent."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.work_item.raise_item import raise_item
from billing.kernel.ids import new_id
from billing.models import Brake
from billing.queries.brakes import STOPPED, BrakeKind, lock_brake

_ONE_BY_ONE = text("SELECT pg_advisory_xact_lock(hashtext('billing.brake'))")
"""Two people at the same lever: the second finds what the first has done."""
_WHAT = {BrakeKind.COLLECT: "Charging", BrakeKind.ISSUE: "Issuing"}


def apply_brake(
    session: Session,
    *,
    kind: BrakeKind,
    seller_id: UUID | None,
    profile_id: UUID | None,
    scope: str,
    actor: str,
    reason: str,
    now: datetime,
) -> Brake | None:
    """Stop it, with its work item. None, and nothing done, where the same is stopped already.

    `scope` is told in the summary (`everything`, `seller ACME`, `customer` and the profile's id).
    """
    session.execute(_ONE_BY_ONE)
    if lock_brake(session, kind, seller_id=seller_id, profile_id=profile_id) is not None:
        return None
    id_ = new_id()
    item = raise_item(
        session,
        kind=STOPPED[kind],
        subject_type="brake",
        subject_id=id_,
        seller_id=seller_id,
        profile_id=profile_id,
        summary=f"{_WHAT[kind]} is stopped for {scope} by {actor}: {reason}",
        safe_actions=["retry", "park"],
        now=now,
    )
    brake = Brake(
        id=id_,
        kind=kind,
        seller_id=seller_id,
        profile_id=profile_id,
        actor=actor,
        reason=reason,
        work_item_id=item.id,
        stopped_at=now,
    )
    session.add(brake)
    session.flush()
    return brake
