"""Lists without a file of their own: attempts, subscriptions, customers, dunning, the trail, events that leave.

All newest first and by key. A customer is given by profile id, which has an index in every table.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.operations.paging import Page, newest, read_page, read_window, those_of

# Every unique key begins with the seller: there are few, and each is asked by its index.
_PROFILES = """
SELECT p.id FROM billing.seller s JOIN billing.profile p ON p.seller_id = s.id AND p.account_id = :account
"""

_PAYMENTS = """
SELECT p.id, p.status, p.kind, p.attempt_no, i.number AS invoice, f.account_id, p.amount_minor, p.currency,
       p.decline_code, p.opened_at, p.first_sent_at, p.next_check_at, p.closed_at
FROM {source} p
JOIN billing.invoice i ON i.id = p.invoice_id
JOIN billing.profile f ON f.id = p.profile_id
WHERE {where} (CAST(:before AS uuid) IS NULL OR p.id < :before) ORDER BY p.id DESC LIMIT :limit
"""

_SUBSCRIPTIONS = """
SELECT p.id, p.code, p.status, f.account_id, p.currency, p.current_period_end, p.next_due_at, p.cancel_at,
       p.hold_id IS NOT NULL AS on_hold
FROM {source} p JOIN billing.profile f ON f.id = p.profile_id
WHERE {where} (CAST(:before AS uuid) IS NULL OR p.id < :before) ORDER BY p.id DESC LIMIT :limit
"""

_CUSTOMERS = """
SELECT p.id, p.account_id, s.code AS seller, p.country, p.buyer_kind, p.hold_id IS NOT NULL AS on_hold, p.created_at
FROM billing.profile p JOIN billing.seller s ON s.id = p.seller_id
WHERE {where} (CAST(:before AS uuid) IS NULL OR p.id < :before) ORDER BY p.id DESC LIMIT :limit
"""

_DUNNING = """
SELECT p.id, p.number, f.account_id, p.amount_remaining_minor, p.currency, p.dunning_step, p.next_attempt_at,
       p.waits_for_method, last.decline_code, last.opened_at AS tried_at
FROM {source} p
JOIN billing.profile f ON f.id = p.profile_id
LEFT JOIN LATERAL (SELECT decline_code, opened_at FROM billing.payment t
                   WHERE t.invoice_id = p.id ORDER BY t.attempt_no DESC LIMIT 1) AS last ON true
WHERE {where} {which}
  AND (CAST(:before AS uuid) IS NULL OR p.id < :before) ORDER BY p.id DESC LIMIT :limit
"""

_TRIED_AGAIN = """
p.status = 'open' AND p.status IN ('open', 'draft') AND p.next_attempt_at IS NOT NULL AND p.hold_id IS NULL
  AND p.dunning_step > 0
"""
_GIVEN_UP = "p.status = 'open' AND p.final_decision IS NOT NULL AND p.next_attempt_at IS NULL"

_TRAIL = """
SELECT p.id, p.happened_at, p.actor, p.action, p.reason, p.subject_type, p.subject_id
FROM {source} p
WHERE {where} (CAST(:before AS uuid) IS NULL OR p.id < :before) ORDER BY p.id DESC LIMIT :limit
"""

_OUTBOX = """
SELECT p.id, p.topic, p.object_type, p.object_id, p.occurred_at, p.delivered_at AS handed_over_at,
       (SELECT string_agg(e.code || ': ' || d.status, ', ' ORDER BY e.code)
        FROM billing.endpoint e JOIN billing.delivery d ON d.endpoint_id = e.id AND d.outbox_id = p.id) AS deliveries
FROM {source} p
WHERE {where} (CAST(:before AS uuid) IS NULL OR p.id < :before) ORDER BY p.id DESC LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Browse:
    """What one list lets through; what is null lets all through. Only what a list has is looked at."""

    status: str | None = None
    profile_id: UUID | None = None
    invoice_id: UUID | None = None
    actor: str | None = None
    action: str | None = None
    subject_id: UUID | None = None
    topic: str | None = None
    given_up: bool = False


def profiles_of(session: Session, account: str) -> list[UUID]:
    """The profiles of an account of the host application, one a seller."""
    return list(session.execute(text(_PROFILES), {"account": account}).scalars())


def list_payments(session: Session, wanted: Browse, *, before: UUID | None, limit: int) -> Page:
    """Attempts, by `status`, `profile_id` and `invoice_id`."""
    return _read(
        session, _of(_PAYMENTS, "payment", wanted), before, limit,
        status=wanted.status, profile_id=wanted.profile_id, invoice_id=wanted.invoice_id,
    )  # fmt: skip


def list_subscriptions(session: Session, wanted: Browse, *, before: UUID | None, limit: int) -> Page:
    """Subscriptions, by `status` and `profile_id`."""
    return _read(
        session,
        _of(_SUBSCRIPTIONS, "subscription", wanted),
        before,
        limit,
        status=wanted.status,
        profile_id=wanted.profile_id,
    )


def list_customers(session: Session, wanted: Browse, *, before: UUID | None, limit: int) -> Page:
    """Customers without anything personal, by `profile_id`."""
    return _read(session, _CUSTOMERS, before, limit, id=wanted.profile_id)


def list_dunning(session: Session, wanted: Browse, *, before: UUID | None, limit: int) -> Page:
    """Open invoices whose last try failed, by `profile_id`: those that are tried again, or those `given_up`."""
    statement = _DUNNING.replace("{which}", _GIVEN_UP if wanted.given_up else _TRIED_AGAIN)
    return _read(session, _of(statement, "invoice", wanted), before, limit, profile_id=wanted.profile_id)


def list_trail(session: Session, wanted: Browse, *, before: UUID | None, limit: int) -> Page:
    """Who did what and why, by `actor`, `action` and `subject_id`."""
    known = wanted.actor or wanted.subject_id
    window = "audit_trail" if wanted.action and not known else None
    statement = _from(_TRAIL, "audit_trail", window)
    return _read(
        session, statement, before, limit, window,
        actor=wanted.actor, action=wanted.action, subject_id=wanted.subject_id,
    )  # fmt: skip


def list_outbox(session: Session, wanted: Browse, *, before: UUID | None, limit: int) -> Page:
    """Domain events and what became of them at each endpoint, by `topic`."""
    window = "outbox" if wanted.topic else None
    return _read(session, _from(_OUTBOX, "outbox", window), before, limit, window, topic=wanted.topic)


def _of(statement: str, table: str, wanted: Browse) -> str:
    whole = wanted.profile_id is None
    return statement.replace("{source}", f"billing.{table}" if whole else those_of(table, "profile_id", "profile_id"))


def _from(statement: str, table: str, window: str | None) -> str:
    return statement.replace("{source}", newest(table) if window else f"billing.{table}")


def _read(
    session: Session,
    statement: str,
    before: UUID | None,
    limit: int,
    window: str | None = None,
    **wanted: str | UUID | None,
) -> Page:
    """Conditions that are not asked for are left out, so that the planner sees which index there is.

    `window`: the table, where no index knows what is asked for.
    """
    given = {name: value for name, value in wanted.items() if value is not None}
    where = "".join(f"p.{name} = :{name} AND " for name in given)
    statement, values = statement.format(where=where), {**given, "before": before}
    if window:
        return read_window(session, statement, values, table=window, limit=limit)
    return read_page(session, statement, values, limit=limit)
