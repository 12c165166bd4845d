"""Refunds that wait for the provider: taken by lease."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.models import Refund
from billing.queries.rate import carried
from billing.queries.same_database import SAME

_WAITS = "status IN ('pending', 'requires_action') AND next_check_at <= clock_timestamp()"
_TAKE = text(
    f"""
    UPDATE billing.refund
    SET token = token + 1, lease_until = clock_timestamp() + make_interval(secs => :lease_s),
        next_check_at = clock_timestamp() + make_interval(secs => :lease_s),
        first_sent_at = coalesce(first_sent_at, :now), version = version + 1, updated_at = clock_timestamp()
    WHERE id = ANY(ARRAY(
        SELECT id FROM billing.refund
        WHERE {_WAITS} AND (CAST(:only AS uuid) IS NULL OR id = :only) AND {carried("refund", _WAITS)}
          AND {SAME}
        ORDER BY next_check_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING id
    """  # noqa: S608 (our own words)
)


def take_refunds(session: Session, *, now: datetime, lease_s: float, most: int, only: UUID | None = None) -> list[UUID]:
    """Claim open refunds whose next sending or question is due (wall time). `now`, business time, ages their keys.

    None while it is open whether this database was restored: what its rows show as not sent may have been sent since.
    """
    values = {"now": now, "lease_s": lease_s, "most": most, "only": only}
    return list(session.execute(_TAKE, values).scalars())


def lock_refund(session: Session, refund_id: UUID) -> Refund:
    """The row, locked until the transaction ends. Raises `Refused` (`refund_missing`).

    With it the others of its payment, in the order of their ids: what a lost dispute covers is shared out among those
    that failed (`settle_by_loss`), and of two that fail at once neither waits for the other.
    """
    payment_id = session.scalar(select(Refund.payment_id).where(Refund.id == refund_id))
    theirs = Refund.id == refund_id if payment_id is None else Refund.payment_id == payment_id
    query = select(Refund).where(theirs).order_by(Refund.id).with_for_update(key_share=True)
    rows = session.scalars(query.execution_options(populate_existing=True)).all()
    row = next((each for each in rows if each.id == refund_id), None)
    if row is None:
        raise Refused(Fault("refund", "refund_missing", "this database has no row of it; reconcile, then look again"))
    return row
