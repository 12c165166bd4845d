"""What the customer is told of an invoice whose try brought no money, and of one that was paid after all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.notice.tell import News, tell
from billing.db.base import Json
from billing.kernel.clock import format_instant
from billing.queries.collecting import Collecting
from billing.rules.dunning import DeclineClass
from billing.rules.notice import ABOUT_DEBT, NoticeKind, notice_of

_TOLD = text(
    f"""
    SELECT DISTINCT invoice_id FROM billing.notice
    WHERE invoice_id = ANY(:invoices) AND kind IN ({", ".join(f"'{kind}'" for kind in ABOUT_DEBT)})
    """  # noqa: S608 (our own words)
)


def news_of_no_money(
    invoice: Collecting, *, decline: DeclineClass, payment_id: UUID | None, method_id: UUID | None
) -> News | None:
    """After `dun`: failed once an attempt, action needed once a method, the end once an invoice.

    `payment_id` None: the moment passed without an attempt. The reason itself is not told: what the customer may know
    of it is what to do.
    """
    said = notice_of(decline, ended=invoice.final_decision is not None, tried=payment_id is not None)
    if said is None:
        return None
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
    return _news(invoice, kind, occasions[kind], facts)


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment that came for an invoice."""

    invoice: Collecting
    payment_id: UUID
    attempt_no: int
    opened_at: datetime
    amount_minor: int

    @property
    def at_first(self) -> bool:
        return self.attempt_no == 1 and (self.invoice.dunning_at is None or self.opened_at <= self.invoice.dunning_at)


def tell_of_recovery(session: Session, paid: Sequence[Paid], *, now: datetime) -> None:
    """After payments: a customer who was told of its failing hears that it came. A first try reads nothing."""
    late = [each for each in paid if not each.at_first]
    if not late:
        return
    told = set(session.execute(_TOLD, {"invoices": [each.invoice.id for each in late]}).scalars())
    news = []
    for each in late:
        if each.invoice.id in told:
            facts = _facts(each.invoice) | {"payment_id": str(each.payment_id), "amount_minor": each.amount_minor}
            news.append(_news(each.invoice, NoticeKind.PAYMENT_RECOVERED, str(each.invoice.id), facts))
    tell(session, news, now=now)


def _facts(invoice: Collecting) -> Json:
    return {
        "invoice_id": str(invoice.id),
        "number": invoice.number,
        "subscription_id": str(invoice.subscription_id) if invoice.subscription_id else None,
        "amount_minor": invoice.amount_remaining_minor,
        "currency": invoice.currency,
    }


def _news(invoice: Collecting, kind: NoticeKind, occasion: str, facts: Json) -> News:
    return News(kind, occasion, invoice.seller_id, invoice.profile_id, invoice.id, invoice.subscription_id, facts)
