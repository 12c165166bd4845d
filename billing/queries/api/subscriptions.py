"""Subscriptions as the API shows them: with their items, and the document that came last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.api.reading import Slice, page_by
from billing.queries.charged_back import CHARGED_BACK
from billing.queries.operations.paging import Facts, read_all

_COLUMNS = """
u.id, u.code, u.profile_id, p.account_id, u.status, u.currency, u.interval_unit, u.interval_count, u.timezone,
u.anchor_at, u.started_at, u.trial_end, u.current_period_start, u.current_period_end, u.next_due_at, u.cancel_at,
u.ended_at, u.collection, u.days_until_due, c.code AS coupon, u.scheduled_items IS NOT NULL AS change_scheduled,
u.hold_id IS NOT NULL AS on_hold, u.created_at, u.version
"""
_FROM = """
FROM billing.subscription u
JOIN billing.profile p ON p.id = u.profile_id AND p.seller_id = u.seller_id
LEFT JOIN billing.coupon c ON c.id = u.coupon_id AND c.seller_id = u.seller_id
"""
_ONE = f"SELECT {_COLUMNS} {_FROM} WHERE u.id = :id AND u.seller_id = :seller"
_LIST = f"""
SELECT {_COLUMNS} {_FROM}
WHERE u.seller_id = :seller AND (CAST(:code AS text) IS NULL OR u.code = :code)
  AND (CAST(:after AS text) IS NULL OR u.code > :after)
ORDER BY u.code LIMIT :limit
"""
_OF_PROFILE = f"""
SELECT {_COLUMNS} {_FROM}
WHERE u.profile_id = :profile AND u.seller_id = :seller AND (CAST(:code AS text) IS NULL OR u.code = :code)
  AND (CAST(:after AS text) IS NULL OR u.code > :after)
ORDER BY u.code LIMIT :limit
"""
_ITEMS = """
SELECT i.subscription_id, r.code AS price, i.quantity
FROM billing.subscription_item i JOIN billing.price r ON r.id = i.price_id
WHERE i.subscription_id = ANY(:ids) AND i.seller_id = :seller ORDER BY i.subscription_id, i.position
"""
_LAST = f"""
SELECT s.id AS subscription_id, i.id, i.number, i.status, i.currency, i.total_minor, i.amount_remaining_minor,
       {CHARGED_BACK}
FROM unnest(CAST(:ids AS uuid[])) AS s(id) CROSS JOIN LATERAL (
    SELECT * FROM billing.invoice i
    WHERE i.subscription_id = s.id AND i.seller_id = :seller AND i.kind = 'invoice' ORDER BY i.id DESC LIMIT 1) i
"""  # noqa: S608 (our own words)


def the_subscription(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's; None where it is none."""
    found = read_all(session, _ONE, {"seller": seller_id, "id": id_})
    return next(iter(_whole(session, seller_id, found)), None)


def subscriptions(
    session: Session, seller_id: UUID, *, profile_id: UUID | None, code: str | None, after: str | None, limit: int
) -> Slice:
    """In the order of their codes; three statements a page."""
    values: dict[str, Any] = {"seller": seller_id, "code": code}
    statement = _LIST
    if profile_id is not None:
        statement, values = _OF_PROFILE, values | {"profile": profile_id}
    page = page_by(session, statement, values, after=after, limit=limit, by="code")
    return Slice(_whole(session, seller_id, page.rows), page.next)


def _whole(session: Session, seller_id: UUID, rows: Sequence[Facts]) -> list[Facts]:
    values = {"seller": seller_id, "ids": [row["id"] for row in rows]}
    items, last = read_all(session, _ITEMS, values), read_all(session, _LAST, values)
    latest = {row.pop("subscription_id"): row for row in last}
    return [
        row
        | {
            "items": [
                {"price": each["price"], "quantity": each["quantity"]}
                for each in items
                if each["subscription_id"] == row["id"]
            ],
            "latest_invoice": latest.get(row["id"]),
        }
        for row in rows
    ]
