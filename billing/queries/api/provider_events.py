"""Provider events as the API shows them: those about an object of the seller's. An account may be several sellers'."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.api.reading import Slice, page_by_id
from billing.queries.operations.paging import Facts, read_all

_EVENT = """
SELECT e.id, a.provider, a.code AS provider_account, e.event_ref, e.type, e.object_type, e.object_ref, e.status,
       e.tries, e.error, e.occurred_at, e.created_at AS received_at, e.handled_at, e.next_try_at,
       e.body IS NOT NULL AS has_body, e.version
FROM billing.provider_event e JOIN billing.provider_account a ON a.id = e.provider_account_id
"""
# By the unique (account, reference) of each table that keeps one.
_MINE = " OR ".join(
    f"EXISTS (SELECT FROM billing.{table} x WHERE x.provider_account_id = e.provider_account_id"
    f" AND x.{column} = e.object_ref AND x.seller_id = :seller)"
    for table, column in (
        ("payment_intent", "intent_ref"),
        ("payment", "charge_ref"),
        ("refund", "refund_ref"),
        ("dispute", "dispute_ref"),
        ("payment_method", "setup_ref"),
        ("payment_method", "method_ref"),
        ("provider_customer", "customer_ref"),
    )
)
_DEAD = "e.status = 'dead'"
_ABOUT = "e.object_ref = :object"


def the_provider_event(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One about an object of this seller's; None where it is none."""
    statement = f"{_EVENT} WHERE e.id = :id AND ({_MINE})"
    return next(iter(read_all(session, statement, {"seller": seller_id, "id": id_})), None)


def provider_events(
    session: Session, seller_id: UUID, *, object_ref: str | None, after: str | None, limit: int
) -> Slice:
    """Those about one object, or, without one, those that could not be handled; newest first."""
    which = _DEAD if object_ref is None else _ABOUT
    statement = f"""{_EVENT} WHERE {which} AND ({_MINE}) AND (CAST(:after AS uuid) IS NULL OR e.id < :after)
        ORDER BY e.id DESC LIMIT :limit"""
    values = {"seller": seller_id, "object": object_ref}
    return page_by_id(session, statement, values, after=after, limit=limit)
