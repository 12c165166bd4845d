"""Announce debits: a bank account's holder is told of each debit, and it waits for as many days as were agreed.

Told is the amount, the day, by which mandate and to whom, once a debit: one that is presented again is another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from billing.commands.invoice.move import write_collecting
from billing.commands.notice.tell import News, tell
from billing.kernel.clock import format_instant
from billing.kernel.status import PaymentStatus
from billing.queries.collecting import Collecting
from billing.queries.collection import Due, Method
from billing.rules.debit import MOST_TRIES, is_debit
from billing.rules.notice import NoticeKind


@dataclass(frozen=True, slots=True)
class Announced:
    """A locked invoice whose next try is a debit at `debit_at` (business time)."""

    invoice: Collecting
    method: Method
    debit_at: datetime
    failed: int
    """How many debits of it from this account have failed before."""
    creditor_id: str | None
    told: bool
    """Whether the holder was told before: it is only waited for."""


def failed_before(due: Due, method: Method) -> int:
    """How many debits of the invoice from this account have failed; 0 for a card."""
    if not is_debit(method.kind):
        return 0
    declined = (each for each in due.attempts if each.status == PaymentStatus.DECLINED)
    return sum(each.payment_method_id == method.id for each in declined)


def before_debit(due: Due, method: Method, *, now: datetime) -> Announced | None:
    """What is to be told, or waited for, before the try that is due; None where it may be made.

    A notice counts for one debit of one amount: with another amount, or after a failure, another is told.
    """
    invoice, failed = due.invoice, failed_before(due, method)
    tried_otherwise = invoice.waits_for_method and invoice.falls_back_to is None
    if not is_debit(method.kind) or failed >= MOST_TRIES or tried_otherwise or (due.unpaid and not invoice.extra_try):
        return None
    known = due.announced.get(occasion(invoice, method, failed))
    if known is not None and known <= now:
        return None
    days = due.seller.debit_notice_days if method.notice_days is None else method.notice_days
    return Announced(
        invoice=invoice,
        method=method,
        debit_at=known or now + timedelta(days=days),
        failed=failed,
        creditor_id=due.seller.creditor_id,
        told=known is not None,
    )


def occasion(invoice: Collecting, method: Method, failed: int) -> str:
    """The debit that a notice is of."""
    return f"{invoice.id}:{method.id}:{failed + 1}:{invoice.amount_remaining_minor}"


def announce(session: Session, announced: Sequence[Announced], *, now: datetime) -> None:
    """Tell of those that were not told of, and let each wait for its day. In three statements."""
    waiting = [each.invoice for each in announced if each.debit_at > now]
    for each in announced:
        if each.debit_at > now:
            each.invoice.next_attempt_at = each.debit_at
    write_collecting(session, waiting)
    tell(session, [_news(each) for each in announced if not each.told], now=now)


def _news(each: Announced) -> News:
    invoice, method = each.invoice, each.method
    facts = {
        "invoice_id": str(invoice.id),
        "number": invoice.number,
        "subscription_id": str(invoice.subscription_id) if invoice.subscription_id else None,
        "amount_minor": invoice.amount_remaining_minor,
        "currency": invoice.currency,
        "debit_at": format_instant(each.debit_at),
        "payment_method_id": str(method.id),
        "mandate_reference": method.mandate_reference,
        "creditor_id": each.creditor_id,
        "again": each.failed > 0,
    }
    about = occasion(invoice, method, each.failed)
    return News(
        NoticeKind.DEBIT_UPCOMING,
        about,
        invoice.seller_id,
        invoice.profile_id,
        invoice.id,
        invoice.subscription_id,
        facts,
    )
