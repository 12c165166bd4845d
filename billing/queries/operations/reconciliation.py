"""Runs of reconciliation and the differences that stand, as operators see them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.models import Payment, Reconciliation
from billing.queries.operations.paging import Facts, read_all

_DIFFERENCES = """
SELECT d.kind, d.object_ref, d.detail, p.account_id, i.number AS invoice, d.amount_minor, d.currency,
       w.id AS work_item, w.safe_actions, d.created_at
FROM billing.difference d
LEFT JOIN billing.profile p ON p.id = d.profile_id
LEFT JOIN billing.invoice i ON i.id = d.invoice_id
LEFT JOIN billing.work_item w ON w.id = d.work_item_id
WHERE d.resolved_at IS NULL ORDER BY d.id LIMIT :most
"""


def open_differences(session: Session, *, most: int) -> list[Facts]:
    """Differences that stand, oldest first."""
    return read_all(session, _DIFFERENCES, {"most": most})


def count_open_differences(session: Session) -> int:
    """How many differences stand."""
    return int(session.execute(text("SELECT count(*) FROM billing.difference WHERE resolved_at IS NULL")).scalar_one())


def last_run(session: Session, account_id: UUID) -> Reconciliation | None:
    """The account's unfinished run, or the one that reached furthest."""
    return session.scalars(
        select(Reconciliation)
        .where(Reconciliation.provider_account_id == account_id)
        .order_by(Reconciliation.status.desc(), Reconciliation.to_at.desc())
        .limit(1)
    ).one_or_none()


_COMPARED = """
SELECT min(reached) FROM (
    SELECT max(to_at) OVER by_begin AS reached, lead(from_at) OVER by_begin AS then_from
    FROM billing.reconciliation WHERE provider_account_id = :account WINDOW by_begin AS (ORDER BY from_at, to_at)
) run
WHERE then_from IS NULL OR then_from > reached
"""


def compared_until(session: Session, account_id: UUID) -> datetime | None:
    """How far the account's runs go without a gap, business time: one that was asked of a day alone may leave some."""
    found: datetime | None = session.scalar(text(_COMPARED), {"account": account_id})
    return found


def earliest_attempt(session: Session, account_id: UUID) -> datetime | None:
    """When the first attempt was opened at this account, business time."""
    return session.scalars(
        select(Payment.opened_at).where(Payment.provider_account_id == account_id).order_by(Payment.id).limit(1)
    ).one_or_none()
