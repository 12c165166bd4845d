"""What is to be done, and what was told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import null
from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.models import (
    AuditRecord,
    Delivery,
    DeliveryAttempt,
    Endpoint,
    Invoice,
    OutboxEvent,
    ProviderAccount,
    ProviderEvent,
    Seller,
    Slice,
    WorkItem,
)
from tests.builders.rows import add


def event(session: Session, account: ProviderAccount, **given: Any) -> ProviderEvent:
    """A handled delivery."""
    known = {
        "event_ref": f"evt_{new_id().hex[-12:]}",
        "type": "payment_intent.succeeded",
        "object_ref": "pi_example",
        "object_type": "payment_intent",
        "occurred_at": datetime(2026, 2, 1, tzinfo=UTC),
        "livemode": False,
        "secret_index": 0,
        "body_hash": b"\0" * 32,
        "status": "processed",
        "handled_at": datetime(2026, 2, 1, tzinfo=UTC),
    }
    return add(session, ProviderEvent(id=new_id(), provider_account_id=account.id, **known | given))


def slice_(session: Session, members: list[UUID], **given: Any) -> Slice:
    """A slice that is done."""
    known = {"kind": "renewals", "status": "done", "tries": 1, "token": 1}
    return add(session, Slice(id=new_id(), member_ids=members, **known | given))


def work_item(session: Session, *, subject_type: str, subject_id: UUID, **given: Any) -> WorkItem:
    known = {
        "kind": "subscription_not_billed",
        "summary": "It could not be billed and waits for a person.",
        "safe_actions": ["retry", "park"],
        "status": "open",
        "seen_at": datetime(2026, 2, 1, tzinfo=UTC),
    }
    return add(session, WorkItem(id=new_id(), subject_type=subject_type, subject_id=subject_id, **known | given))


def outbox(session: Session, of: Invoice, **given: Any) -> OutboxEvent:
    """A domain event about an invoice, or about what is `given`."""
    assert of.issued_at is not None
    known = {
        "topic": "invoice.issued",
        "object_type": "invoice",
        "object_id": of.id,
        "occurred_at": of.issued_at,
        "payload": {"invoice_id": str(of.id), "total_minor": of.total_minor, "currency": of.currency},
    }
    return add(session, OutboxEvent(id=new_id(), seller_id=of.seller_id, **known | given))


def audit_record(session: Session, **given: Any) -> AuditRecord:
    """Somebody did something by hand."""
    known = {"actor": "ada", "reason": "seen", "happened_at": datetime(2026, 2, 1, tzinfo=UTC)}
    return add(session, AuditRecord(id=new_id(), **known | given))


def endpoint(session: Session, owner: Seller, **given: Any) -> Endpoint:
    """It hears of everything from now on."""
    known = {"code": "host", "target": "https://host.example/hooks", "topics": [], "secret": b"sealed"}
    return add(session, Endpoint(id=new_id(), seller_id=owner.id, **known | given))


def delivery(session: Session, receiver: Endpoint, of: OutboxEvent, **given: Any) -> Delivery:
    """An event that the endpoint took at the first try; or what is `given`."""
    of.delivered_at = of.created_at
    session.flush()
    known = {"status": "delivered", "tries": 1, "token": 1, "first_try_at": of.created_at, "next_try_at": null()}
    known |= {"closed_at": of.created_at} if given.get("status", "delivered") != "waiting" else {}
    row = Delivery(
        endpoint_id=receiver.id, outbox_id=of.id, seller_id=of.seller_id, object_id=of.object_id, **known | given
    )
    add(session, row)
    if row.status == "delivered":
        attempt = DeliveryAttempt(endpoint_id=receiver.id, outbox_id=of.id, token=1, outcome="delivered", duration_ms=3)
        add(session, attempt)
    return row
