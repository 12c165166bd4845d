"""A witness made by hand: the rows that a stand-in would show after exactly what our books say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.models import Dispute, Payment, PaymentIntent, ProviderAccount, Refund
from billing.providers.stripe.witness import (
    WitnessedCharge,
    WitnessedDispute,
    WitnessedEvent,
    WitnessedIntent,
    WitnessedRefund,
    WitnessedRequest,
)


@dataclass(slots=True)
class HandMade:
    """What it shows are lists that a test may change."""

    account_ref: str
    providers: tuple[str, ...] = ("stripe",)
    charge_rows: list[WitnessedCharge] = field(default_factory=list)
    intent_rows: list[WitnessedIntent] = field(default_factory=list)
    refund_rows: list[WitnessedRefund] = field(default_factory=list)
    dispute_rows: list[WitnessedDispute] = field(default_factory=list)
    request_rows: list[WitnessedRequest] = field(default_factory=list)
    event_rows: list[WitnessedEvent] = field(default_factory=list)

    def charges(self) -> list[WitnessedCharge]:
        return self.charge_rows

    def intents(self) -> list[WitnessedIntent]:
        return self.intent_rows

    def refunds(self) -> list[WitnessedRefund]:
        return self.refund_rows

    def disputes(self) -> list[WitnessedDispute]:
        return self.dispute_rows

    def requests(self) -> list[WitnessedRequest]:
        return self.request_rows

    def events(self) -> list[WitnessedEvent]:
        return self.event_rows

    def asked(self, path: str, *, key: str | None, at: datetime, **params: Any) -> WitnessedRequest:
        """Note one executed request, after all others."""
        row = WitnessedRequest(
            seq=len(self.request_rows) + 1,
            account_ref=self.account_ref,
            wall_time=at,
            clock=at,
            method="POST",
            path=path,
            params=params,
            key=key,
            status=200,
            outcome="executed",
            request_ref=f"req_{len(self.request_rows) + 1}",
        )
        self.request_rows.append(row)
        return row

    def charge(self, charge_ref: str | None) -> WitnessedCharge:
        """The one charge of that name."""
        return next(row for row in self.charge_rows if row.charge_ref == charge_ref)

    def put(self, old: WitnessedCharge, **changes: Any) -> None:
        """Let a charge be another than it was."""
        self.charge_rows[self.charge_rows.index(old)] = replace(old, **changes)


def witness_of(session: Session) -> HandMade:
    """Every attempt of the database as it must have been seen from the other side."""
    seen = HandMade(session.scalars(select(ProviderAccount.account_ref)).one())
    payments = session.execute(
        select(Payment, PaymentIntent)
        .join(PaymentIntent, PaymentIntent.id == Payment.payment_intent_id)
        .order_by(Payment.opened_at, Payment.attempt_no)
    )
    created_by: dict[UUID, Payment] = {}
    for payment, intent in payments:
        if payment.first_sent_at is None or intent.intent_ref is None:
            continue
        first = created_by.setdefault(intent.id, payment)
        path = "/v1/payment_intents" if first is payment else f"/v1/payment_intents/{intent.intent_ref}/confirm"
        about = {"customer": payment.customer_ref} if first is payment else {}
        seen.asked(path, key=str(payment.id), at=payment.opened_at, payment_method=payment.method_ref, **about)
        if payment.charge_ref is not None:
            seen.charge_rows.append(charge_of(payment, intent, seen.account_ref))
        if first is payment:
            seen.intent_rows.append(intent_of(payment, intent, seen.account_ref))
    for charge in list(seen.charge_rows):
        back = session.scalar(select(func.sum(Refund.amount_minor)).where(Refund.charge_ref == charge.charge_ref))
        seen.put(charge, refunded_minor=int(back or 0))
    for refund in session.scalars(select(Refund).where(Refund.refund_ref.is_not(None))):
        seen.refund_rows.append(refund_of(refund, seen.account_ref))
    return seen


def refund_of(refund: Refund, account_ref: str, **given: Any) -> WitnessedRefund:
    """The refund that a row of ours names."""
    known: dict[str, Any] = {
        "refund_ref": refund.refund_ref,
        "charge_ref": refund.charge_ref,
        "account_ref": account_ref,
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "status": refund.status,
        "refund_id": str(refund.id),
    }
    return WitnessedRefund(**known | given)


def dispute_of(dispute: Dispute, account_ref: str, **given: Any) -> WitnessedDispute:
    """The dispute that a row of ours names."""
    known: dict[str, Any] = {
        "dispute_ref": dispute.dispute_ref,
        "charge_ref": dispute.charge_ref,
        "account_ref": account_ref,
        "amount_minor": dispute.amount_minor,
        "currency": dispute.currency,
        "status": dispute.status,
        "withdrawn_minor": dispute.withdrawn_minor,
        "reinstated_minor": dispute.reinstated_minor,
    }
    return WitnessedDispute(**known | given)


def charge_of(payment: Payment, intent: PaymentIntent, account_ref: str, **given: Any) -> WitnessedCharge:
    """The charge that an attempt names."""
    known: dict[str, Any] = {
        "charge_ref": payment.charge_ref,
        "intent_ref": intent.intent_ref,
        "customer_ref": payment.customer_ref,
        "account_ref": account_ref,
        "amount_minor": payment.amount_minor,
        "refunded_minor": 0,
        "currency": payment.currency,
        "status": "succeeded" if payment.status == "succeeded" else "failed",
        "decline_code": payment.decline_code,
        "created": payment.opened_at,
        "key": str(payment.id),
        "invoice_id": str(payment.invoice_id),
        "payment_id": str(payment.id),
    }
    return WitnessedCharge(**known | given)


def intent_of(payment: Payment, intent: PaymentIntent, account_ref: str, **given: Any) -> WitnessedIntent:
    """The intent that an attempt created."""
    known: dict[str, Any] = {
        "intent_ref": intent.intent_ref,
        "customer_ref": payment.customer_ref,
        "account_ref": account_ref,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "status": "succeeded" if intent.status == "succeeded" else "requires_payment_method",
        "created": payment.opened_at,
        "confirms": 1,
        "charge_refs": (),
        "invoice_id": str(payment.invoice_id),
        "payment_id": str(payment.id),
    }
    return WitnessedIntent(**known | given)
