"""What is billed: subscriptions, periods, documents, and their entries in the books."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.revenue.take_back import Credit, take_back
from billing.kernel.ids import new_id
from billing.kernel.period import Interval, IntervalUnit, boundary
from billing.models import (
    BillingPeriod,
    CreditBalance,
    DataKey,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    Payment,
    Posting,
    Price,
    Profile,
    Refund,
    RevenueMovement,
    RevenueSchedule,
    Seller,
    Series,
    Subscription,
    SubscriptionItem,
    WaitingLine,
)
from tests.builders.jobs import outbox
from tests.builders.keys import freeze
from tests.builders.parties import data_key, series
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
        "status": "open",
        "collection": "automatic",
        "amount_remaining_minor": 4045,
        "next_attempt_at": start,
    }
    row = Invoice(
        id=new_id(),
        seller_id=of.seller_id,
        profile_id=of.profile_id,
        subscription_id=of.id,
        document_key_id=key.id,
        **known | given,
    )
    if row.number is not None:
        counter.next_no += 1
        counter.last_issued_at = row.issued_at
    items = session.scalars(
        select(SubscriptionItem).where(SubscriptionItem.subscription_id == of.id).order_by(SubscriptionItem.position)
    ).all()
    lines = [
        InvoiceLine(
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
        for position, (amount, unit, quantity, percent, inclusive) in enumerate(
            ((2500, 1250, 2, 19, False), (1070, 1070, 1, 7, True))
        )
    ]
    freeze(row, lines)
    for each in (row, *lines):
        add(session, each)
    for line, net_minor in zip(lines, (2500, 1000), strict=True):
        if row.number is not None:
            deferred(session, line, net_minor=net_minor, at=start)
    if row.number is not None:
        sides = (("receivable", 4045), ("deferred_revenue", -2500), ("deferred_revenue", -1000), ("tax_payable", -545))
        entry(session, row, "issue", sides, at=start)
        outbox(session, row)
    period(session, of, k, invoice=row)
    return row


def deferred(session: Session, of: InvoiceLine, *, net_minor: int, at: datetime) -> RevenueSchedule:
    """A line's schedule: nothing of it is recognised yet. Zones are left out: dates are UTC's."""
    assert of.period_start is not None
    assert of.period_end is not None
    starts_on, ends_on = of.period_start.date(), of.period_end.date()
    return add(
        session,
        RevenueSchedule(
            id=of.id,
            seller_id=of.seller_id,
            invoice_id=of.invoice_id,
            currency="eur",
            issued_on=at.date(),
            starts_on=starts_on,
            ends_on=ends_on,
            base_on=starts_on,
            open_on=starts_on,
            net_minor=net_minor,
            next_on=ends_on,
            next_at=of.period_end,
        ),
    )


def taken_back(session: Session, of: Invoice, kind: str, *, counter: str, net_minor: int, at: datetime) -> LedgerEntry:
    """An entry that gives back so much net of an invoice and all tax of this document, line by line."""
    session.flush()
    corrected = of.corrects_id or of.id
    (taken,) = take_back(session, [Credit(net_minor, invoice_id=corrected)], now=at)
    tax_minor = of.tax_minor
    sides = (
        ("deferred_revenue", taken.deferred_minor),
        ("revenue", taken.recognised_minor),
        ("tax_payable", tax_minor),
        (counter, -net_minor - tax_minor),
    )
    row = entry(session, of, kind, tuple(side for side in sides if side[1]), at=at)
    for line, from_deferred, from_recognised in taken.lines:
        movement = RevenueMovement(
            entry_id=row.id,
            line_id=line,
            seller_id=of.seller_id,
            deferred_minor=-from_deferred,
            recognised_minor=-from_recognised,
        )
        add(session, movement)
    return row


def note(session: Session, of: Invoice, *, at: datetime, **given: Any) -> Invoice:
    """A note that takes back all of an invoice (`kind="cancellation"`) or, with amounts and status given, a part.

    It is numbered in the seller's series of notes, which is made with the first one. The books are left alone.
    """
    counter = session.scalars(
        select(Series).where(Series.seller_id == of.seller_id, Series.kind == "credit_note")
    ).first() or series(session, session.get_one(Seller, of.seller_id), kind="credit_note", prefix="CN-")
    known = {
        "kind": "cancellation",
        "status": "credited",
        "series_id": counter.id,
        "series_no": counter.next_no,
        "number": f"{counter.prefix}{counter.next_no:06d}",
        "issued_at": at,
        "currency": of.currency,
        "period_start": of.period_start,
        "period_end": of.period_end,
        "subtotal_minor": of.subtotal_minor,
        "discount_minor": of.discount_minor,
        "tax_minor": of.tax_minor,
        "total_minor": of.total_minor,
        "credit_applied_minor": 0,
        "amount_due_minor": 0,
        "tax_groups": [],
        "reverse_charge": False,
        "legal_notes": [],
        "buyer_country": of.buyer_country,
        "buyer_kind": of.buyer_kind,
        "collection": of.collection,
        "amount_remaining_minor": 0,
        "corrects_id": of.id,
    }
    row = Invoice(
        id=new_id(),
        seller_id=of.seller_id,
        profile_id=of.profile_id,
        subscription_id=of.subscription_id,
        document_key_id=of.document_key_id,
        **known | given,
    )
    freeze(row, [])
    add(session, row)
    outbox(session, row, topic="credit_note.issued")
    counter.next_no += 1
    counter.last_issued_at = at
    session.flush()
    return row


def refunded(session: Session, of: Invoice, *, amount_minor: int, tax_minor: int, at: datetime) -> Invoice:
    """A refund of a part of a paid invoice: its note, the refund itself, and the entries of both moves."""
    net_minor = amount_minor - tax_minor
    amounts = {"subtotal_minor": net_minor, "tax_minor": tax_minor, "total_minor": amount_minor}
    row = note(session, of, at=at, kind="credit_note", status="refunded", **amounts)
    of.amount_refunded_minor += amount_minor
    taken_back(session, row, "issue", counter="refunds_in_flight", net_minor=net_minor, at=at)
    sent = (("refunds_in_flight", amount_minor), ("provider_clearing", -amount_minor))
    payment = session.scalars(select(Payment).where(Payment.invoice_id == of.id, Payment.status == "succeeded")).first()
    entry(session, of, "refund_sent", sent, at=at, payment_id=payment.id if payment else None)
    if payment is not None:
        gone = Refund(
            id=new_id(),
            seller_id=of.seller_id,
            invoice_id=of.id,
            payment_id=payment.id,
            credit_note_id=row.id,
            profile_id=of.profile_id,
            provider_account_id=payment.provider_account_id,
            charge_ref=payment.charge_ref,
            amount_minor=amount_minor,
            currency=of.currency,
            opened_at=at,
            status="succeeded",
            token=1,
            first_sent_at=at,
            refund_ref=f"re_{new_id().hex[-12:]}",
            closed_at=at,
        )
        add(session, gone)
    return row


def credited_line(session: Session, of: InvoiceLine, subscription_id: UUID, **given: Any) -> WaitingLine:
    """A proration credit for all of an issued line that waits for the next invoice."""
    known = {
        "kind": "proration_credit",
        "price_id": of.price_id,
        "description": of.description,
        "quantity": of.quantity,
        "amount_minor": of.discount_minor - of.amount_minor,
        "period_start": of.period_start,
        "period_end": of.period_end,
        "how": {},
        "tax_percent": of.tax_percent,
        "tax_inclusive": of.tax_inclusive,
        "tax_code": of.tax_code,
        "credits_line_id": of.id,
        "credits_issued": True,
    }
    return add(
        session,
        WaitingLine(id=new_id(), seller_id=of.seller_id, subscription_id=subscription_id, **known | given),
    )


def granted(session: Session, of: Profile, *, amount_minor: int, at: datetime) -> CreditBalance:
    """Credit in store, and its entry."""
    row = add(
        session,
        CreditBalance(
            id=new_id(), seller_id=of.seller_id, profile_id=of.id, currency="eur", amount_minor=amount_minor, version=1
        ),
    )
    kept = LedgerEntry(id=new_id(), seller_id=of.seller_id, kind="credit_grant", effective_at=at, profile_id=of.id)
    add(session, kept)
    sides = (("promotional_credit", amount_minor), ("customer_credit", -amount_minor))
    for position, (account, amount) in enumerate(sides, start=1):
        side = Posting(
            entry_id=kept.id,
            position=position,
            seller_id=of.seller_id,
            account=account,
            currency="eur",
            amount_minor=amount,
        )
        add(session, side)
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
