"""Receive money that came past the provider: by transfer, cash, offset. Each unit of it has one place (DECISIONS 33).

It pays what the invoice asks for, then what lost disputes have put back on it, oldest first; the rest is the customer's
credit. What was written off is taken back first, as far as it is paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.credit.move import move_balances, require_room
from billing.commands.dispute.repay import repay
from billing.commands.invoice.correct import pay_debt, reverse_write_off
from billing.commands.ledger.post import post
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.kernel.status import InvoiceStatus
from billing.models import Account, Dispute, ExternalPayment, Invoice

_ASKS = (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE)
TAKES = (*_ASKS, InvoiceStatus.PAID, InvoiceStatus.VOID)
"""Which invoices money may be noted on. Another has no number that a customer could pay, or one in its place."""


@dataclass(frozen=True, slots=True)
class Came:
    """What came, and when; `reference` is what the bank or till calls it. Minor units of the invoice's currency."""

    amount_minor: int
    reference: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Placed:
    """Where it went, in minor units."""

    paid_minor: int
    repaid_minor: int
    credited_minor: int


def require_takes(invoice: Invoice) -> None:
    """Raise `Refused` (`invoice_not_open`) unless money may be noted on it."""
    if invoice.kind == "invoice" and invoice.status in TAKES:
        return
    mend = {
        InvoiceStatus.REPLACED: "another stands in its place; `billing invoice show` names it: note the money there",
        InvoiceStatus.DRAFT: "it is not issued yet; note it as credit that was paid in advance, which it will use",
    }.get(InvoiceStatus(invoice.status), f"it is {invoice.status}; note it as credit that was paid in advance")
    raise Refused(Fault("invoice", "invoice_not_open", mend))


def asked_of(invoice: Invoice, losses: Sequence[Dispute]) -> int:
    """What money could pay on it: its rest, also when written off, and what lost disputes have put back."""
    rest = invoice.amount_remaining_minor if invoice.status in _ASKS else 0
    return rest + sum(each.owed_minor for each in losses)


def require_not_noted(session: Session, invoice: Invoice, reference: str) -> None:
    """Raise `Refused` (`reference_taken`) where a payment of that name stands on it. One without a name is new."""
    if not reference:
        return
    known = select(ExternalPayment.id).where(
        ExternalPayment.invoice_id == invoice.id, ExternalPayment.reference == reference
    )
    if session.scalars(known).first() is not None:
        mend = "a payment of that reference was noted on this invoice; where this is another, say so in its reference"
        raise Refused(Fault("reference", "reference_taken", mend))


def receive(session: Session, *, invoice: Invoice, losses: Sequence[Dispute], came: Came, now: datetime) -> Placed:
    """Note it and book it: Dr external money, Cr receivable; what nothing asks for, Cr customer credit.

    The caller holds the profile, the invoice and its `losses`, and has looked whether it takes money. Not idempotent.
    Raises `Refused` (`balance_too_large`).
    """
    paid = min(came.amount_minor, invoice.amount_remaining_minor) if invoice.status in _ASKS else 0
    left = came.amount_minor - paid
    shares = []
    for loss in losses:
        shares.append((loss, min(left, loss.owed_minor)))
        left -= shares[-1][1]
    if left:
        require_room(session, profile_id=invoice.profile_id, currency=invoice.currency, amount_minor=left)
    if paid:
        reverse_write_off(session, invoice=invoice, amount_minor=paid, now=now)
    session.add(
        ExternalPayment(
            id=new_id(),
            seller_id=invoice.seller_id,
            invoice_id=invoice.id,
            profile_id=invoice.profile_id,
            amount_minor=came.amount_minor,
            currency=invoice.currency,
            reference=came.reference,
            received_at=came.received_at,
        )
    )
    sides = {Account.EXTERNAL_MONEY: paid + left, Account.RECEIVABLE: -paid, Account.CUSTOMER_CREDIT: -left}
    _post(session, invoice, "external_payment", sides, now)
    if left:
        move_balances(session, {(invoice.seller_id, invoice.profile_id, invoice.currency): left})
    for loss, share in shares:
        if share:
            repay(session, dispute=loss, currency=invoice.currency, amount_minor=share, now=now)
    if paid:
        pay_debt(session, invoice=invoice, amount_minor=paid, now=now)
    session.flush()
    return Placed(paid, sum(share for _, share in shares), left)


def _post(session: Session, invoice: Invoice, kind: str, sides: dict[Account, int], now: datetime) -> None:
    moved = tuple((account, amount) for account, amount in sides.items() if amount)
    if not moved:
        return
    post(
        session,
        kind=kind,
        seller_id=invoice.seller_id,
        profile_id=invoice.profile_id,
        invoice_id=invoice.id,
        currency=invoice.currency,
        sides=moved,
        now=now,
    )
