"""Looking at what is sealed: opened for one person at a time, and every look is written down before it is shown."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.key.obtain import email_key, inbox_key
from billing.commands.profile.email_index import NONE, email_index
from billing.db.base import Json
from billing.flows.order import Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.models import DataKey, Invoice, Profile, ProviderEvent
from billing.privacy.sealed import unseal
from billing.queries.profile import open_personal

_FOUND = 20


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


def open_profile(parts: Parts, profile_id: UUID, *, order: Order) -> dict[str, Any]:
    """Name, e-mail, address and tax id. Raises `Refused` (`profile_not_found`, `profile_erased`), `SealBroken`."""
    with carry_out(parts, order) as session:
        profile = session.scalars(select(Profile).where(Profile.id == profile_id)).one_or_none()
        if profile is None:
            raise Refused(Fault("profile", "profile_not_found", "give the id of a profile"))
        row = session.scalars(
            select(DataKey).where(DataKey.purpose == "profile", DataKey.owner_id == profile_id)
        ).one_or_none()
        if row is None:
            raise Refused(Fault("profile", "profile_erased", "what was personal is gone"))
        key = parts.keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.id)
        personal = asdict(open_personal(profile.personal, key=key, profile_id=profile.id))
        _noted(parts, session, order, profile, action="profile.personal.view", after={"opened": sorted(personal)})
    return personal


def find_by_email(parts: Parts, email: str, *, order: Order) -> list[UUID]:
    """Customers with exactly this address, whatever its case, at most 20. Each one found is written down."""
    with carry_out(parts, order) as session:
        index = email_index(email_key(session, parts.keyring), email.strip())
        query = select(Profile).where(Profile.email_index == index, Profile.email_index != NONE)
        found = session.scalars(query.order_by(Profile.id).limit(_FOUND)).all()
        for profile in found:
            _noted(parts, session, order, profile, action="profile.find", after={"by": "email"})
        return [profile.id for profile in found]


def _noted(parts: Parts, session: Session, order: Order, profile: Profile, *, action: str, after: Json) -> None:
    note(
        parts,
        session,
        order,
        action=action,
        subject_type="profile",
        subject_id=profile.id,
        seller_id=profile.seller_id,
        before={},
        after=after,
    )


def open_body(parts: Parts, event_id: UUID, *, order: Order, seller_id: UUID | None = None) -> bytes:
    """An event's body as it arrived. `seller_id`: in whose trail the look stands; None: the operators' own.

    Raises `Refused` (`event_not_found`, `body_blanked`), `SealBroken`.
    """
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
            seller_id=seller_id,
            before={},
            after={"opened": ["body"]},
        )
    return plain
