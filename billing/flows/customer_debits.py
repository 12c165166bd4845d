"""Bank accounts at the customer's page: whether one may be given, by which mandate, and when it is debited.

The account's number and its holder's name go to the provider's own fields; nothing of them comes here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from billing.commands.payment_method.offered import offered_kinds
from billing.kernel.errors import Fault, Refused
from billing.kernel.kinds import MethodKind, takes
from billing.models import Invoice, Payment, PaymentMethod, Profile, Seller
from billing.queries.debits import announced_debits
from billing.rules.debit import is_debit

USUALLY = timedelta(days=7)
"""So long after it was asked for a debit has usually arrived or failed (Stripe: five business days, at most 14)."""


@dataclass(frozen=True, slots=True)
class Mandate:
    """What the holder agrees to, beside the sentence itself."""

    creditor_id: str
    days: int
    """So many days before a debit they are told."""


def offered_mandate(session: Session, profile: Profile, *, currency: str) -> Mandate | None:
    """The mandate under which this customer may give an account; None where they may not."""
    seller = session.get_one(Seller, profile.seller_id)
    offered = MethodKind.SEPA_DEBIT in offered_kinds(session, seller_id=seller.id, provider="stripe")
    if not offered or seller.creditor_id is None or not takes(MethodKind.SEPA_DEBIT, currency):
        return None
    return Mandate(seller.creditor_id, seller.debit_notice_days)


def require_same(session: Session, profile: Profile, *, days: int) -> None:
    """The mandate that was read is the one that is asked for now. Raises `Refused` (`consent_missing`)."""
    offered = offered_mandate(session, profile, currency="eur")
    if offered is None or offered.days != days:
        raise Refused(Fault("agreed", "consent_missing", "the customer reads the present text, and agrees to it"))


def announced_days(
    session: Session, invoices: Sequence[Invoice], method: PaymentMethod | None, *, zone: ZoneInfo, now: datetime
) -> dict[UUID, date]:
    """The day on which each of these invoices is going to be debited, where that was announced."""
    if method is None or not is_debit(method.kind):
        return {}
    told = announced_debits(session, [invoice.id for invoice in invoices])
    days = {}
    for invoice in invoices:
        ahead = [at for about, at in told.items() if about.startswith(f"{invoice.id}:{method.id}:") and at > now]
        if ahead:
            days[invoice.id] = max(ahead).astimezone(zone).date()
    return days


def arrival_days(last: Mapping[UUID, Payment], *, zone: ZoneInfo) -> dict[UUID, date]:
    """Until when, about, the debit of each invoice that is under way has arrived."""
    return {
        invoice_id: (payment.first_sent_at + USUALLY).astimezone(zone).date()
        for invoice_id, payment in last.items()
        if payment.status == "processing" and is_debit(payment.method_kind) and payment.first_sent_at is not None
    }
