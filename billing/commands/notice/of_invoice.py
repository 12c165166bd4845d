"""What the customer is told of an invoice whose try brought no money, and of one that was paid after all."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.notice.tell import News, tell
from billing.db.base import Json
from billing.kernel.clock import format_instant
from billing.models import Invoice, Payment
from billing.rules.dunning import DeclineClass
from billing.rules.notice import ABOUT_DEBT, NoticeKind, notice_of

_TOLD = text(
    f"""
    SELECT EXISTS (SELECT FROM billing.notice WHERE invoice_id = :invoice AND kind IN ({
        ", ".join(f"'{kind}'" for kind in ABOUT_DEBT)
    }))
    """  # noqa: S608 (our own words)
)


def tell_of_no_money(
    session: Session,
    *,
    invoice: Invoice,
    decline: DeclineClass,
    payment_id: UUID | None,
    method_id: UUID | None,
    now: datetime,
) -> None:
    """After `dun`: failed once an attempt, action needed once a method, the end once an invoice.

    `payment_id` None: the moment passed without an attempt. The reason itself is not told: what the customer may know
    of it is what to do.
    """
    said = notice_of(decline, ended=invoice.final_decision is not None, tried=payment_id is not None)
    if said is None:
        return
    kind, need = said
    occasions = {
        NoticeKind.PAYMENT_FAILED: str(payment_id),
        NoticeKind.ACTION_NEEDED: f"{invoice.id}:{method_id or 'none'}",
        NoticeKind.COLLECTION_ENDED: str(invoice.id),
    }
    facts = _facts(invoice) | {"payment_id": str(payment_id) if payment_id else None, "need": need}
    if kind is NoticeKind.COLLECTION_ENDED:
        facts["final"] = invoice.final_decision if invoice.subscription_id else "keep"
    elif need is None:
        facts["next_try_at"] = format_instant(invoice.next_attempt_at) if invoice.next_attempt_at else None
    tell(session, [_news(invoice, kind, occasions[kind], facts)], now=now)


def tell_of_recovery(session: Session, *, invoice: Invoice, payment: Payment, now: datetime) -> None:
    """After a payment: a customer who was told of its failing hears that it came. A first try reads nothing."""
    first = payment.attempt_no == 1 and (invoice.dunning_at is None or payment.opened_at <= invoice.dunning_at)
    if first or not session.scalar(_TOLD, {"invoice": invoice.id}):
        return
    facts = _facts(invoice) | {"payment_id": str(payment.id), "amount_minor": payment.amount_minor}
    tell(session, [_news(invoice, NoticeKind.PAYMENT_RECOVERED, str(invoice.id), facts)], now=now)


def _facts(invoice: Invoice) -> Json:
    return {
        "invoice_id": str(invoice.id),
        "number": invoice.number,
        "subscription_id": str(invoice.subscription_id) if invoice.subscription_id else None,
        "amount_minor": invoice.amount_remaining_minor,
        "currency": invoice.currency,
    }


def _news(invoice: Invoice, kind: NoticeKind, occasion: str, facts: Json) -> News:
    return News(kind, occasion, invoice.seller_id, invoice.profile_id, invoice.id, invoice.subscription_id, facts)
