"""The witness's rows, loaded by COPY into temporary tables of the audit's own connection, to be compared set-wise."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from typing import Protocol
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.db.copy import copy_values
from billing.db.rows import carry_out
from billing.models import ProviderAccount
from billing.providers.stripe.witness import (
    WitnessedCharge,
    WitnessedDispute,
    WitnessedEvent,
    WitnessedIntent,
    WitnessedRefund,
    WitnessedRequest,
)
from billing.queries.reconciling import as_uuid

TABLES = {
    "witness_account": "provider_account_id uuid",
    "witness_charge": "charge_ref text, intent_ref text, customer_ref text, provider_account_id uuid,"
    " amount_minor bigint, refunded_minor bigint, currency text, status text, key text, invoice_id uuid",
    "witness_intent": "intent_ref text, provider_account_id uuid, status text, invoice_id uuid",
    "witness_refund": "refund_ref text, charge_ref text, provider_account_id uuid, amount_minor bigint, currency text,"
    " status text, refund_id uuid",
    "witness_dispute": "dispute_ref text, charge_ref text, provider_account_id uuid, amount_minor bigint,"
    " currency text, status text, withdrawn_minor bigint, reinstated_minor bigint",
    "witness_request": "seq bigint, path text, provider_account_id uuid, key text, parameter_hash text, outcome text,"
    " request_ref text, method_ref text, customer_ref text",
    "witness_event": "event_ref text, provider_account_id uuid, type text, created timestamptz, delivered boolean",
}


class Source(Protocol):
    """Where the rows come from, oldest first: the stand-ins' witnesses, or rows made by hand."""

    @property
    def providers(self) -> Collection[str]:
        """Whose books they are: what our accounts at others say is not held against them."""
        ...

    def charges(self) -> Iterable[WitnessedCharge]: ...

    def intents(self) -> Iterable[WitnessedIntent]: ...

    def refunds(self) -> Iterable[WitnessedRefund]: ...

    def disputes(self) -> Iterable[WitnessedDispute]: ...

    def requests(self) -> Iterable[WitnessedRequest]: ...

    def events(self) -> Iterable[WitnessedEvent]: ...


def load_witness(session: Session, source: Source) -> None:
    """Read the whole witness, a page in memory at a time. What concerns strangers' accounts is left out."""
    accounts = select(ProviderAccount.account_ref, ProviderAccount.id)
    witnessed = accounts.where(ProviderAccount.provider.in_(source.providers))
    ours = {row.account_ref: row.id for row in session.execute(witnessed)}
    tables = (f"CREATE TEMPORARY TABLE {name} ({columns})" for name, columns in TABLES.items())
    carry_out(session, *tables)
    copy_values(session, "witness_account", ((id_,) for id_ in ours.values()))
    copy_values(session, "witness_request", _requests(source, ours))
    copy_values(session, "witness_intent", _intents(source, ours))
    copy_values(session, "witness_charge", _charges(source, ours))
    copy_values(session, "witness_event", _events(source, ours))
    copy_values(session, "witness_refund", _refunds(source, ours))
    copy_values(session, "witness_dispute", _disputes(source, ours))
    session.execute(text(f"ANALYZE {', '.join(TABLES)}"))


def _charges(source: Source, ours: dict[str, UUID]) -> Iterator[tuple[object, ...]]:
    for charge in source.charges():
        if charge.account_ref in ours:
            yield (
                charge.charge_ref,
                charge.intent_ref,
                charge.customer_ref,
                ours[charge.account_ref],
                charge.amount_minor,
                charge.refunded_minor,
                charge.currency,
                charge.status,
                charge.key,
                as_uuid(charge.invoice_id),
            )


def _intents(source: Source, ours: dict[str, UUID]) -> Iterator[tuple[object, ...]]:
    for intent in source.intents():
        if intent.account_ref in ours:
            yield intent.intent_ref, ours[intent.account_ref], intent.status, as_uuid(intent.invoice_id)


def _refunds(source: Source, ours: dict[str, UUID]) -> Iterator[tuple[object, ...]]:
    for refund in source.refunds():
        if refund.account_ref in ours:
            yield (
                refund.refund_ref,
                refund.charge_ref,
                ours[refund.account_ref],
                refund.amount_minor,
                refund.currency,
                refund.status,
                as_uuid(refund.refund_id),
            )


def _disputes(source: Source, ours: dict[str, UUID]) -> Iterator[tuple[object, ...]]:
    for dispute in source.disputes():
        if dispute.account_ref in ours:
            yield (
                dispute.dispute_ref,
                dispute.charge_ref,
                ours[dispute.account_ref],
                dispute.amount_minor,
                dispute.currency,
                dispute.status,
                dispute.withdrawn_minor,
                dispute.reinstated_minor,
            )


def _requests(source: Source, ours: dict[str, UUID]) -> Iterator[tuple[object, ...]]:
    """What was asked to change something. A question moves no money; a key of nobody's was not listened to."""
    for request in source.requests():
        if request.method == "POST" and request.account_ref in ours:
            asked = json.dumps([request.path, request.params], sort_keys=True)
            yield (
                request.seq,
                request.path,
                ours[request.account_ref],
                request.key,
                hashlib.sha256(asked.encode()).hexdigest(),
                request.outcome,
                request.request_ref,
                _word(request.params.get("payment_method")),
                _word(request.params.get("customer")),
            )


def _events(source: Source, ours: dict[str, UUID]) -> Iterator[tuple[object, ...]]:
    for event in source.events():
        if event.account_ref in ours:
            yield event.event_ref, ours[event.account_ref], event.type, event.created, event.delivered


def _word(value: object) -> str | None:
    """Stripe's are ids; PayPal's parameters of these names are objects, of which none is compared."""
    return value if isinstance(value, str) else None
