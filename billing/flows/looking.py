"""Looking at what is sealed: opened for one person at a time, and every look is written down before it is shown."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from billing.commands.key.obtain import inbox_key
from billing.flows.order import Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.models import DataKey, Invoice, ProviderEvent
from billing.privacy.sealed import unseal


def open_parties(parts: Parts, invoice_id: UUID, *, order: Order) -> dict[str, Any]:
    """Seller and buyer as the document names them. Raises `Refused` (`invoice_not_found`), `SealBroken`."""
    with carry_out(parts, order) as session:
        invoice = session.get(Invoice, invoice_id)
        if invoice is None:
            raise Refused(Fault("invoice", "invoice_not_found", "give the number or the id of an invoice"))
        row = session.get_one(DataKey, invoice.document_key_id)
        key = parts.keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.id)
        plain = unseal(key, invoice.parties, table="invoice", row=invoice.id, column="parties")
        note(
            parts,
            session,
            order,
            action="invoice.parties.view",
            subject_type="invoice",
            subject_id=invoice.id,
            seller_id=invoice.seller_id,
            before={},
            after={"opened": ["seller", "buyer"]},
        )
    parties: dict[str, Any] = json.loads(plain)
    return parties


def note_print(parts: Parts, invoice_id: UUID, *, order: Order) -> None:
    """Write down that a document, which names both parties, is about to be printed. Raises as `open_parties`."""
    with carry_out(parts, order) as session:
        invoice = session.get(Invoice, invoice_id)
        if invoice is None:
            raise Refused(Fault("invoice", "invoice_not_found", "give the number or the id of an invoice"))
        note(
            parts,
            session,
            order,
            action="invoice.print",
            subject_type="invoice",
            subject_id=invoice.id,
            seller_id=invoice.seller_id,
            before={},
            after={"opened": ["seller", "buyer"]},
        )


def open_body(parts: Parts, event_id: UUID, *, order: Order) -> bytes:
    """An event's body as it arrived. Raises `Refused` (`event_not_found`, `body_blanked`), `SealBroken`."""
    with carry_out(parts, order) as session:
        event = session.get(ProviderEvent, event_id)
        if event is None:
            raise Refused(Fault("event", "event_not_found", "give an id of `billing events list`"))
        if event.body is None:
            raise Refused(Fault("event", "body_blanked", "it is kept for 90 days after handling; this one is gone"))
        key = inbox_key(session, parts.keyring, provider_account_id=event.provider_account_id)
        plain = unseal(key, event.body, table="provider_event", row=event.id, column="body")
        note(
            parts,
            session,
            order,
            action="event.body.view",
            subject_type="provider_event",
            subject_id=event.id,
            seller_id=None,
            before={},
            after={"opened": ["body"]},
        )
    return plain
