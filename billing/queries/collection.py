"""What opening and recording attempts read: invoices locked in id order, then methods, customers, attempts, intents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from billing.kernel.status import COLLECTABLE, PaymentStatus, SubscriptionStatus
from billing.models import (
    Invoice,
    Payment,
    PaymentIntent,
    PaymentMethod,
    Profile,
    ProviderCustomer,
    Seller,
    Subscription,
)
from billing.queries.brakes import BrakeKind, moves
from billing.queries.card_tries import CardTries, card_of, tries_of_cards


@dataclass(frozen=True, slots=True)
class ToCharge:
    """Invoices that may be tried now, and what their attempts are made of."""

    invoices: Sequence[Invoice]
    methods: dict[UUID, PaymentMethod]
    """Default method by profile."""
    customers: dict[tuple[UUID, UUID], str]
    """The provider's customer id by (profile, provider account)."""
    attempts: dict[UUID, list[Payment]]
    """By invoice, oldest first."""
    intents: dict[UUID, list[PaymentIntent]]
    """By invoice, by generation."""
    sellers: dict[UUID, Seller]
    unpaid: set[UUID]
    """Subscriptions whose invoices' scheduled moments pass without a charge."""
    tries: CardTries
    """Of the cards of invoices that were declined before."""


def load_to_charge(session: Session, *, invoices: Sequence[UUID], now: datetime) -> ToCharge:
    """Lock those of the invoices that are due for a try, in id order, and read what opening an attempt needs."""
    due = session.scalars(
        select(Invoice)
        .join(Profile, Profile.id == Invoice.profile_id)
        .where(
            Invoice.id.in_(invoices),
            Invoice.status.in_(COLLECTABLE),
            Invoice.collection == "automatic",
            Invoice.hold_id.is_(None),
            Profile.hold_id.is_(None),
            Invoice.amount_remaining_minor > 0,
            Invoice.next_attempt_at <= now,
            or_(Invoice.charge_not_before.is_(None), Invoice.charge_not_before <= func.clock_timestamp()),
            text(moves(BrakeKind.COLLECT, "invoice")),
        )
        .order_by(Invoice.id)
        .with_for_update(of=Invoice, key_share=True)
    ).all()
    ids = [invoice.id for invoice in due]
    of = {invoice.subscription_id for invoice in due if invoice.subscription_id is not None}
    profiles = {invoice.profile_id for invoice in due}
    methods = {
        method.profile_id: method
        for method in session.scalars(
            select(PaymentMethod).where(PaymentMethod.profile_id.in_(profiles), PaymentMethod.is_default)
        )
    }
    attempts = _by_invoice(
        session.scalars(
            select(Payment).where(Payment.invoice_id.in_(ids)).order_by(Payment.invoice_id, Payment.attempt_no)
        ).all()
    )
    retried = [invoice for invoice in due if was_declined(attempts.get(invoice.id, ()))]
    cards = {card_of(methods.get(invoice.profile_id)) for invoice in retried}
    return ToCharge(
        invoices=due,
        methods=methods,
        customers={
            (customer.profile_id, customer.provider_account_id): customer.customer_ref
            for customer in session.scalars(select(ProviderCustomer).where(ProviderCustomer.profile_id.in_(profiles)))
        },
        attempts=attempts,
        intents=_by_invoice(
            session.scalars(
                select(PaymentIntent)
                .where(PaymentIntent.invoice_id.in_(ids))
                .order_by(PaymentIntent.invoice_id, PaymentIntent.generation)
            ).all()
        ),
        sellers={
            seller.id: seller
            for seller in session.scalars(select(Seller).where(Seller.id.in_({row.seller_id for row in due})))
        },
        unpaid=set(
            session.scalars(
                select(Subscription.id).where(Subscription.id.in_(of), Subscription.status == SubscriptionStatus.UNPAID)
            )
        ),
        tries=tries_of_cards(session, cards={card for card in cards if card is not None}, now=now),
    )


def was_declined(attempts: Sequence[Payment]) -> bool:
    """Whether the next try would be a repeat, as card networks count."""
    return any(attempt.status == PaymentStatus.DECLINED for attempt in attempts)


Row = TypeVar("Row", Payment, PaymentIntent)


def _by_invoice(rows: Sequence[Row]) -> dict[UUID, list[Row]]:
    grouped: dict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.invoice_id].append(row)
    return grouped


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
