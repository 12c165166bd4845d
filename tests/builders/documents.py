"""What is billed: subscriptions, periods, documents, and their entries in the books."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.kernel.period import Interval, IntervalUnit, boundary
from billing.models import (
    BillingPeriod,
    DataKey,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    Posting,
    Price,
    Profile,
    Series,
    Subscription,
    SubscriptionItem,
)
from tests.builders.parties import data_key
from tests.builders.rows import add

Sides = tuple[tuple[str, int], ...]


def subscription(session: Session, of: Profile, prices: list[tuple[Price, int]], **given: Any) -> Subscription:
    """An active monthly one, next due at its start (or at `paid_through`'s next boundary, if the caller says so)."""
    start = given.get("started_at", datetime(2026, 1, 31, 9, tzinfo=UTC))
    known = {
        "code": f"sub-{new_id().hex[-8:]}",
        "status": "active",
        "currency": "eur",
        "interval_unit": "month",
        "interval_count": 1,
        "timezone": of.timezone,
        "anchor_at": start,
        "started_at": start,
        "next_due_at": start,
    }
    row = add(session, Subscription(id=new_id(), seller_id=of.seller_id, profile_id=of.id, **known | given))
    for position, (each, quantity) in enumerate(prices):
        item = SubscriptionItem(
            id=new_id(),
            seller_id=of.seller_id,
            subscription_id=row.id,
            price_id=each.id,
            quantity=quantity,
            counts_from=start,
            position=position,
        )
        add(session, item)
    return row


def period_of(of: Subscription, k: int) -> tuple[datetime, datetime]:
    """Start and end of period `k` by the subscription's anchor."""
    interval = Interval(IntervalUnit(of.interval_unit), of.interval_count)
    return (
        boundary(of.anchor_at, of.timezone, interval, k),
        boundary(of.anchor_at, of.timezone, interval, k + 1),
    )


def entry(session: Session, of: Invoice, kind: str, sides: Sides, *, at: datetime, **given: Any) -> LedgerEntry:
    """One balanced entry about an invoice: (account, debit positive) in the invoice's currency."""
    row = add(
        session,
        LedgerEntry(
            id=new_id(),
            seller_id=of.seller_id,
            kind=kind,
            effective_at=at,
            profile_id=of.profile_id,
            invoice_id=of.id,
            **given,
        ),
    )
    for position, (account, amount) in enumerate(sides, start=1):
        side = Posting(
            entry_id=row.id,
            position=position,
            seller_id=of.seller_id,
            account=account,
            currency=of.currency,
            amount_minor=amount,
        )
        add(session, side)
    return row


def bill(session: Session, of: Subscription, k: int, **given: Any) -> Invoice:
    """Bill period `k`: the numbered document with its lines, its entry, the period, and the subscription moved on.

    Two lines: 2 × 12.50 plus 19 %, and 10.70 with 7 % inside. The document is open and due to be tried.
    """
    start, end = period_of(of, k)
    counter = session.scalars(select(Series).where(Series.seller_id == of.seller_id, Series.kind == "invoice")).one()
    key = session.scalars(select(DataKey).where(DataKey.owner_id == of.seller_id)).first() or data_key(
        session, purpose="document", owner_id=of.seller_id, year=start.year
    )
    known = {
        "kind": "invoice",
        "series_id": counter.id,
        "series_no": counter.next_no,
        "number": f"{counter.prefix}{counter.next_no:06d}",
        "issued_at": start,
        "currency": of.currency,
        "period_start": start,
        "period_end": end,
        "subtotal_minor": 3570,
        "discount_minor": 0,
        "tax_minor": 545,
        "total_minor": 4045,
        "credit_applied_minor": 0,
        "amount_due_minor": 4045,
        "tax_groups": [
            {"percent": "19", "inclusive": False, "base_minor": 2500, "tax_minor": 475, "code": "domestic"},
            {"percent": "7", "inclusive": True, "base_minor": 1000, "tax_minor": 70, "code": "domestic"},
        ],
        "reverse_charge": False,
        "legal_notes": [],
        "buyer_country": "DE",
        "buyer_kind": "consumer",
        "parties": b"sealed",
        "content_hash": b"\0" * 32,
        "status": "open",
        "collection": "automatic",
        "amount_remaining_minor": 4045,
        "next_attempt_at": start,
    }
    row = add(
        session,
        Invoice(
            id=new_id(),
            seller_id=of.seller_id,
            profile_id=of.profile_id,
            subscription_id=of.id,
            document_key_id=key.id,
            **known | given,
        ),
    )
    if row.number is not None:
        counter.next_no += 1
        counter.last_issued_at = row.issued_at
    items = session.scalars(
        select(SubscriptionItem).where(SubscriptionItem.subscription_id == of.id).order_by(SubscriptionItem.position)
    ).all()
    for position, (amount, unit, quantity, percent, inclusive) in enumerate(
        ((2500, 1250, 2, 19, False), (1070, 1070, 1, 7, True))
    ):
        line = InvoiceLine(
            id=new_id(),
            seller_id=of.seller_id,
            invoice_id=row.id,
            position=position + 1,
            kind="recurring",
            price_id=items[position].price_id,
            description="Basic subscription",
            quantity=Decimal(quantity),
            unit_amount=Decimal(unit),
            amount_minor=amount,
            discount_minor=0,
            tax_percent=Decimal(percent),
            tax_inclusive=inclusive,
            tax_code="domestic",
            period_start=start,
            period_end=end,
            how={"model": "per_unit", "unit": str(unit), "quantity": str(quantity)},
        )
        add(session, line)
    if row.number is not None:
        sides = (("receivable", 4045), ("deferred_revenue", -2500), ("deferred_revenue", -1000), ("tax_payable", -545))
        entry(session, row, "issue", sides, at=start)
    period(session, of, k, invoice=row)
    return row


def period(session: Session, of: Subscription, k: int, *, invoice: Invoice | None) -> BillingPeriod:
    """Period `k`, billed by a document or (without one) recorded as skipped; the subscription moves on."""
    start, end = period_of(of, k)
    row = add(
        session,
        BillingPeriod(
            id=new_id(),
            seller_id=of.seller_id,
            subscription_id=of.id,
            anchor_no=of.anchor_no,
            period_no=k,
            starts_at=start,
            ends_at=end,
            disposition="billed" if invoice else "skipped",
            invoice_id=invoice.id if invoice else None,
        ),
    )
    of.next_period_no, of.next_due_at = k + 1, end
    of.current_period_start, of.current_period_end = start, end
    session.flush()
    return row
