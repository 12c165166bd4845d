"""Causes of work items: whether what an item tells of is still so."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.kernel.status import OPEN_PAYMENT
from billing.kernel.work import WorkKind
from billing.models import WorkItem

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_PAYMENT))

_IN_FORCE = "EXISTS (SELECT FROM billing.brake b WHERE b.id = w.subject_id AND b.released_at IS NULL)"

STANDS = {
    "subscription_not_billed": """EXISTS (
        SELECT FROM billing.subscription s WHERE s.id = w.subject_id AND s.next_due_at IS NOT NULL
          AND (s.hold_id IS NOT NULL OR s.next_due_at <= :now))""",
    "invoice_not_charged": f"""EXISTS (
        SELECT FROM billing.invoice i WHERE i.id = w.subject_id AND i.status IN ('open', 'draft')
          AND (i.hold_id IS NOT NULL OR i.next_attempt_at <= :now
               OR EXISTS (SELECT FROM billing.payment p WHERE p.invoice_id = i.id AND p.status IN ({_OPEN}))))""",  # noqa: S608 (our own words)
    WorkKind.INVOICE_NOT_ISSUED: """EXISTS (
        SELECT FROM billing.invoice i WHERE i.id = w.subject_id AND i.status = 'draft'
          AND (i.hold_id IS NOT NULL OR i.review_until <= :now))""",
    "payment_unknown": f"""EXISTS (
        SELECT FROM billing.payment p WHERE p.id = w.subject_id AND p.status IN ({_OPEN}))""",
    WorkKind.INTENT_NOT_CANCELED: """EXISTS (
        SELECT FROM billing.payment_intent n
        WHERE n.invoice_id = w.subject_id AND n.status = 'open' AND n.intent_ref IS NOT NULL)""",
    "event_not_handled": """EXISTS (
        SELECT FROM billing.provider_event e WHERE e.id = w.subject_id AND e.status NOT IN ('processed', 'ignored'))""",
    "provider_refuses_account": """EXISTS (
        SELECT FROM billing.payment p JOIN billing.invoice i ON i.id = p.invoice_id
        WHERE p.provider_account_id = w.subject_id AND p.status = 'not_sent' AND i.status IN ('open', 'draft'))""",
    "customer_quarantined": """EXISTS (
        SELECT FROM billing.profile p WHERE p.id = w.subject_id AND p.hold_id IS NOT NULL)""",
    WorkKind.TAX_ID_REFUSED: """EXISTS (
        SELECT FROM billing.profile p WHERE p.id = w.subject_id
          AND (p.has_tax_id OR p.tax_id_check -> 'register' ->> 'valid' = 'false'))""",
    "collecting_stopped": _IN_FORCE,
    "issuing_stopped": _IN_FORCE,
    WorkKind.NOTICE_NOT_SENT: "EXISTS (SELECT FROM billing.notice n WHERE n.id = w.subject_id)",
    WorkKind.E_INVOICE_NOT_SENT: "EXISTS (SELECT FROM billing.e_invoice e WHERE e.id = w.subject_id)",
    WorkKind.ENDPOINT_OFF: "EXISTS (SELECT FROM billing.endpoint e WHERE e.id = w.subject_id AND e.status = 'off')",
    WorkKind.DELIVERIES_DEAD: """EXISTS (
        SELECT FROM billing.delivery d WHERE d.endpoint_id = w.subject_id AND d.status = 'dead')""",
}
"""By kind: an SQL condition on `w` at business time `:now`. A kind that is absent stands until it is closed."""

SWEPT = (
    "subscription_not_billed",
    "invoice_not_charged",
    WorkKind.INVOICE_NOT_ISSUED,
    WorkKind.INTENT_NOT_CANCELED,
    WorkKind.TAX_ID_REFUSED,
    "collecting_stopped",
    "issuing_stopped",
    "customer_quarantined",
    WorkKind.ENDPOINT_OFF,
    WorkKind.DELIVERIES_DEAD,
)
"""Kinds whose flows work in bulk, or lift what holds, and close nothing by themselves."""


def cause_stands(session: Session, item: WorkItem, *, now: datetime) -> bool:
    """Whether the cause of `item` is still there."""
    condition = STANDS.get(item.kind)
    if condition is None:
        return True
    statement = text(f"SELECT {condition} FROM billing.work_item w WHERE w.id = :id")  # noqa: S608 (our own words)
    return bool(session.execute(statement, {"id": item.id, "now": now}).scalar_one())


def gone_items(session: Session, *, kind: str, now: datetime, most: int) -> list[UUID]:
    """Live items of this kind whose cause is gone, oldest first, in one statement."""
    statement = text(
        f"SELECT w.id FROM billing.work_item w WHERE w.kind = :kind AND w.status IN ('open', 'parked') "  # noqa: S608 (our own words)
        f"AND NOT {STANDS[kind]} ORDER BY w.id LIMIT :most"
    )
    return list(session.execute(statement, {"kind": kind, "now": now, "most": most}).scalars())
