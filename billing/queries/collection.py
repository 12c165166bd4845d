"""What opening and recording attempts read: invoices locked in id order, then methods, customers, attempts, intents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.db.rows import fetch
from billing.kernel.status import InvoiceStatus, PaymentStatus
from billing.models import Invoice, Payment, PaymentIntent
from billing.queries.brakes import BrakeKind, moves
from billing.queries.card_tries import CardTries, card_of, tries_of_cards
from billing.queries.collecting import COLLECTING, SELLER_DUNNING, Collecting, SellerDunning, collecting
from billing.queries.debits import announced_debits
from billing.queries.dispute import undisputed
from billing.queries.due import collected, has_come
from billing.rules.debit import brings, is_debit


@dataclass(frozen=True, slots=True)
class Due:
    """An invoice that may be tried now, under lock, and what decides whether it is."""

    invoice: Collecting
    seller: SellerDunning
    unpaid: bool
    """Its subscription is: scheduled moments pass without a charge."""
    method: Method | None
    attempts: list[Attempted]
    """Oldest first."""
    intents: list[Intent]
    """By generation."""
    tries: CardTries
    """Of the cards of all invoices that were declined before."""
    announced: dict[str, datetime]
    """When debits are made that were told of, by the occasion of the notice."""
    amount_minor: int
    """What is asked for: all that remains, unless its account charges less of it."""


@dataclass(frozen=True, slots=True)
class Method:
    """A customer's default method, or the one that is tried in its place, and the customer's id at its provider."""

    id: UUID
    method_ref: str
    provider_account_id: UUID
    kind: str
    brand: str | None
    fingerprint: str | None
    notice_days: int | None
    """So many days before a debit its holder is told, as was agreed with it."""
    mandate_reference: str | None
    customer_ref: str


@dataclass(frozen=True, slots=True)
class Attempted:
    """An earlier attempt: open, or how it ended."""

    id: UUID
    seller_id: UUID
    invoice_id: UUID
    attempt_no: int
    kind: str
    status: str
    scheduled: bool
    provider_account_id: UUID
    payment_method_id: UUID
    payment_intent_id: UUID
    customer_ref: str
    method_ref: str
    method_kind: str | None
    card_fingerprint: str | None
    amount_minor: int
    currency: str
    confirms_ref: str | None
    charge_ref: str | None
    first_sent_at: datetime | None
    token: int
    spent_before: int


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent of an invoice."""

    id: UUID
    provider_account_id: UUID
    intent_ref: str | None
    status: str


# A customer's debts are paid in their order: no older one is due as well, or just being tried. One that waits for an
# outcome, a later moment or a person holds nobody up; nor one whose try is in nobody's hands any more, which is asked
# about once its account answers: it may be away for days. `OFFSET 0` has what the customer owes looked up, which is
# little, and not what is due of all customers.
_IS_OLDEST = f"""NOT EXISTS (
        SELECT FROM (SELECT * FROM billing.invoice
                     WHERE profile_id = i.profile_id AND status IN ('open', 'draft') OFFSET 0) older
        WHERE older.id <> i.id AND {collected("older")}
          AND (coalesce(older.issued_at, older.created_at), older.id) < (coalesce(i.issued_at, i.created_at), i.id)
          AND ({has_come("older", "%(now)s")}
            OR EXISTS (SELECT FROM billing.payment p
                       WHERE p.invoice_id = older.id AND p.status IN ('prepared', 'sent')
                         AND p.lease_until > clock_timestamp())))"""  # noqa: S608 (our own names)
_DUE = f"""
    SELECT {COLLECTING}, {SELLER_DUNNING}, coalesce(u.status = 'unpaid', false)
    FROM billing.invoice i
    JOIN billing.profile f ON f.id = i.profile_id AND f.seller_id = i.seller_id
    JOIN billing.seller s ON s.id = i.seller_id
    LEFT JOIN billing.subscription u ON u.id = i.subscription_id AND u.seller_id = i.seller_id
    WHERE i.id = ANY(%(invoices)s) AND {collected("i")} AND f.hold_id IS NULL AND {has_come("i", "%(now)s")}
      AND {moves(BrakeKind.COLLECT, "i")}
      AND {_IS_OLDEST}
      AND {undisputed("i")}
    ORDER BY i.id
    FOR NO KEY UPDATE OF i
"""  # noqa: S608 (our own names)
# Read again under lock: who is paid meanwhile recovers, and what was never tried is looked for just then. Whoever makes
# one recover holds it while they take its invoices, so it is not waited for by who holds an invoice.
_STILL_UNPAID = """
    SELECT id FROM billing.subscription WHERE id = ANY(%(subscriptions)s) AND status = 'unpaid'
    ORDER BY profile_id, code FOR NO KEY UPDATE SKIP LOCKED
"""
_METHODS = """
    SELECT m.profile_id, m.id, m.method_ref, m.provider_account_id, m.kind, m.brand, m.fingerprint, m.notice_days,
           m.mandate_reference, c.customer_ref
    FROM billing.payment_method m
    JOIN billing.provider_customer c ON c.profile_id = m.profile_id AND c.provider_account_id = m.provider_account_id
      AND c.deleted_at IS NULL
    WHERE m.profile_id = ANY(%(profiles)s) AND m.is_default
"""
_OTHER_METHODS = """
    SELECT m.id, m.method_ref, m.provider_account_id, m.kind, m.brand, m.fingerprint, m.notice_days,
           m.mandate_reference, c.customer_ref
    FROM billing.payment_method m
    JOIN billing.provider_customer c ON c.profile_id = m.profile_id AND c.provider_account_id = m.provider_account_id
      AND c.deleted_at IS NULL
    WHERE m.id = ANY(%(ids)s) AND m.status = 'active'
"""
_ATTEMPTS = f"""
    SELECT {", ".join(each.name for each in fields(Attempted))} FROM billing.payment
    WHERE invoice_id = ANY(%(invoices)s) ORDER BY invoice_id, attempt_no
"""  # noqa: S608
_INTENTS = """
    SELECT invoice_id, id, provider_account_id, intent_ref, status FROM billing.payment_intent
    WHERE invoice_id = ANY(%(invoices)s) ORDER BY invoice_id, generation
"""


def load_due(session: Session, *, invoices: Sequence[UUID], now: datetime) -> list[Due]:
    """Lock those of the invoices that are due for a try, in id order, and read what opening an attempt needs.

    Of several due ones of a customer the oldest; the others stay due, and the next sweep finds them. So does one of a
    subscription that was `unpaid` and is just being moved on.
    """
    rows = [
        (collecting(row), SellerDunning(*row[-1 - len(fields(SellerDunning)) : -1]), row[-1])
        for row in fetch(session, _DUE, invoices=list(invoices), now=now)
    ]
    said = [invoice.subscription_id for invoice, _, unpaid in rows if unpaid]
    if said:
        still = {row.id for row in fetch(session, _STILL_UNPAID, subscriptions=said)}
        rows = [each for each in rows if not each[-1] or each[0].subscription_id in still]
    if not rows:
        return []
    ids = [invoice.id for invoice, *_ in rows]
    profiles = list({invoice.profile_id for invoice, *_ in rows})
    default = {profile: Method(*method) for profile, *method in fetch(session, _METHODS, profiles=profiles)}
    others = [invoice.falls_back_to for invoice, *_ in rows if invoice.falls_back_to is not None]
    other = {row.id: Method(*row) for row in fetch(session, _OTHER_METHODS, ids=others)} if others else {}
    methods = {
        each.id: _that_brings(
            each,
            default.get(each.profile_id) if each.falls_back_to is None else other.get(each.falls_back_to),
        )
        for each, *_ in rows
    }
    attempts: dict[UUID, list[Attempted]] = defaultdict(list)
    for row in fetch(session, _ATTEMPTS, invoices=ids):
        attempts[row.invoice_id].append(Attempted(*row))
    intents: dict[UUID, list[Intent]] = defaultdict(list)
    for invoice_id, *intent in fetch(session, _INTENTS, invoices=ids):
        intents[invoice_id].append(Intent(*intent))
    retried = {card_of(methods[invoice.id]) for invoice, *_ in rows if was_declined(attempts[invoice.id])}
    tries = tries_of_cards(session, cards={card for card in retried if card is not None}, now=now)
    debited = [id_ for id_, method in methods.items() if method is not None and is_debit(method.kind)]
    announced = announced_debits(session, debited)
    return [
        Due(
            invoice=invoice,
            seller=seller,
            unpaid=unpaid,
            method=methods[invoice.id],
            attempts=attempts[invoice.id],
            intents=intents[invoice.id],
            tries=tries,
            announced=announced,
            amount_minor=invoice.amount_remaining_minor,
        )
        for invoice, seller, unpaid in rows
    ]


def _that_brings(invoice: Collecting, method: Method | None) -> Method | None:
    """What can't bring the money, or not in time, is as good as no method: a customer with another one gives that.

    A draft that is collected is a subscription's first payment.
    """
    first = invoice.status == InvoiceStatus.DRAFT
    return method if method is not None and brings(method.kind, invoice.currency, first_payment=first) else None


def was_declined(attempts: Sequence[Attempted]) -> bool:
    """Whether the next try would be a repeat, as card networks count."""
    return any(attempt.status == PaymentStatus.DECLINED for attempt in attempts)


def lock_attempts(session: Session, payments: Sequence[UUID]) -> dict[UUID, tuple[Payment, Invoice, PaymentIntent]]:
    """Lock attempts with their invoices and intents, invoices first and in id order, as everywhere."""
    invoices = {
        invoice.id: invoice
        for invoice in session.scalars(
            select(Invoice)
            .where(Invoice.id.in_(select(Payment.invoice_id).where(Payment.id.in_(payments))))
            .order_by(Invoice.id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    }
    rows = session.scalars(
        select(Payment)
        .where(Payment.id.in_(payments))
        .order_by(Payment.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    intents = {
        intent.id: intent
        for intent in session.scalars(
            select(PaymentIntent)
            .where(PaymentIntent.id.in_({row.payment_intent_id for row in rows}))
            .order_by(PaymentIntent.id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    }
    return {row.id: (row, invoices[row.invoice_id], intents[row.payment_intent_id]) for row in rows}
