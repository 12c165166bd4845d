"""Replacing a document: the original is credited in full, and a corrected one issued for the same period.

The corrected one says what the customer's data and the seller's rates say now: parties, country, tax id, tax. Lines and
their amounts stay. Money paid is carried over without the provider (DECISIONS 33); of an open one the provider's intent
is canceled first, and the corrected one is collected like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.expected_version import require_version
from billing.commands.invoice.compose import Frame, Wallet, compose
from billing.commands.invoice.note import credit_note
from billing.commands.invoice.planned import PlannedInvoice, PlannedLine
from billing.commands.invoice.replace import put_in_place, require_replaceable
from billing.commands.invoice.retry import has_attempt_in_flight
from billing.flows.canceling import all_canceled, cancel_intents, require_canceled
from billing.flows.issuing import issue_documents, open_parties
from billing.flows.order import Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.kernel.period import zone_info
from billing.kernel.status import InvoiceStatus
from billing.models import Account, Invoice, Seller
from billing.queries.brakes import require_issuing
from billing.queries.correction import creditable, notes_of
from billing.queries.dispute import disputed
from billing.queries.invoice import lock_invoice
from billing.queries.profile import lock_person
from billing.queries.replacing import Rates, lines_of, rates_of
from billing.queries.standing import Standing, load_standing
from billing.rules.tax import TaxCode, TaxRate, TaxTreatment, carried, in_force, sold_at, treatment
from billing.rules.walk import Span


@dataclass(frozen=True, slots=True)
class Replaced:
    """The numbers of the document, of the note that credits it, and of the corrected one; amounts in minor units."""

    number: str
    note: str
    replaced_by: str
    carried_minor: int
    remaining_minor: int
    currency: str


def replace_invoice(parts: Parts, invoice_id: UUID, *, order: Order) -> Replaced:
    """Issue it anew as things stand now, in the place of an open or paid one. Hands both documents' ids over.

    Raises `Refused`: `invoice_not_found`, `invoice_not_open`, `invoice_corrected`, `invoice_changed`,
    `charge_disputed`, `payment_in_flight`, `profile_on_hold`, `issuing_stopped`, `tax_rate_unknown`,
    `replacement_below_zero`; the provider's errors: then nothing was done here.
    """
    with parts.begin() as session:
        old = _locked(session, invoice_id)
        require_version(old, order.expected_version)
        if not order.dry_run and not all_canceled(session, [invoice_id]):
            # Rehearsed, so that what is refused leaves the invoice the intent that it has.
            _issued_anew(parts, session, old, order)
            session.rollback()
    if not order.dry_run and not cancel_intents(parts, [invoice_id]):
        mend = "the provider has money for it, or is about to; wait for that"
        raise Refused(Fault("invoice", "payment_in_flight", mend))
    with carry_out(parts, order) as session:
        old = _locked(session, invoice_id)
        require_version(old, order.expected_version)
        if not order.dry_run:
            require_canceled(session, invoice_id)
        made = _issued_anew(parts, session, old, order)
        _note(parts, session, order, old, made)
    return made


def _issued_anew(parts: Parts, session: Session, old: Invoice, order: Order) -> Replaced:
    """The note and the corrected document, with what was paid; the order gets their ids."""
    now = parts.clock.now(session)
    standing = load_standing(session, profiles=[old.profile_id], only=[])
    if old.profile_id not in standing.profiles:
        raise Refused(Fault("profile", "profile_on_hold", "a work item holds it; see `billing work list`"))
    parties = open_parties(parts, standing)[old.profile_id]
    credited = credit_note(
        old,
        amount_minor=old.total_minor,
        earlier=notes_of(session, old.id),
        parties=parties,
        counter=Account.RECEIVABLE,
    )
    corrected = _corrected(session, old, standing, parties)
    if corrected.kind != "invoice":
        mend = "as things stand now its lines take off more than they charge; credit it, and charge what is due"
        raise Refused(Fault("invoice", "replacement_below_zero", mend))
    documents = [credited, corrected]
    taken_back, issued = issue_documents(parts, session, documents, wallet=Wallet(), now=now)
    order.wrote[:] = [taken_back.id, issued.id]
    new = lock_invoice(session, issued.id)
    carried = put_in_place(session, old=old, new=new, now=now)
    return Replaced(
        number=old.number or "invoice",
        note=taken_back.number,
        replaced_by=issued.number,
        carried_minor=carried,
        remaining_minor=new.amount_remaining_minor,
        currency=old.currency,
    )


def _locked(session: Session, invoice_id: UUID) -> Invoice:
    found = session.get(Invoice, invoice_id)
    if found is None:
        raise Refused(Fault("invoice", "invoice_not_found", "give the number or the id of an invoice"))
    lock_person(session, found.profile_id)
    require_issuing(session, found.profile_id)
    invoice = lock_invoice(session, invoice_id)
    require_replaceable(session, invoice)
    if disputed(session, invoice.id).withheld:
        mend = "a dispute holds its money; once that is over, see `billing dispute list`"
        raise Refused(Fault("invoice", "charge_disputed", mend))
    if creditable(session, invoice) != invoice.total_minor:
        raise Refused(Fault("invoice", "invoice_corrected", "a lost dispute has taken a part of it back"))
    if has_attempt_in_flight(session, invoice.id):
        mend = "an attempt is open; `billing payment resolve` asks the provider what became of it"
        raise Refused(Fault("invoice", "payment_in_flight", mend))
    return invoice


def _corrected(session: Session, old: Invoice, standing: Standing, parties: bytes) -> PlannedInvoice:
    """The same lines, each under the tax that applies now to what was sold then."""
    profile, seller = standing.profiles[old.profile_id], standing.sellers[old.seller_id]
    rates = rates_of(session, seller.id)
    days = (old.due_at - old.issued_at).days if old.due_at and old.issued_at else 0
    span = Span(old.period_start, old.period_end) if old.period_start and old.period_end else None
    frame = Frame(
        seller=seller,
        profile=profile,
        parties=parties,
        currency=old.currency,
        subscription_id=old.subscription_id,
        span=span,
        collection=old.collection,
        days_until_due=days,
        # What was paid outside the schedule, such as a first payment, has nothing against a charge of the rest.
        charged=old.on_schedule or old.status == InvoiceStatus.PAID,
    )
    lines = [
        PlannedLine(
            kind=row.kind,
            price_id=row.price_id,
            description=row.description,
            quantity=f"{row.quantity:f}",
            unit_amount=None if row.unit_amount is None else f"{row.unit_amount:f}",
            amount_minor=row.amount_minor,
            discount_minor=row.discount_minor,
            treatment=_treatment(rates, row, seller, profile, at=_supplied(row, old)),
            period_start=row.period_start,
            period_end=row.period_end,
            how_json=row.how_json,
        )
        for row in lines_of(session, old.id)
    ]
    return compose(frame, lines, wallet=Wallet())._replace(corrects_id=old.id)


def _supplied(row: Any, old: Invoice) -> datetime:
    """The moment by which a line's rate was found, as when it is billed."""
    if row.kind == "usage":
        return cast("datetime", row.period_end) - timedelta.resolution
    at: datetime | None = row.period_start or old.issued_at
    assert at is not None
    return at


def _treatment(rates: Rates, row: Any, seller: Seller, profile: Any, *, at: datetime) -> TaxTreatment:
    """By the rate of its price; what was charged once, without a price, by the one that it was sold at.

    Raises `Refused` (`tax_rate_unknown`) where that may have been several which are no longer the same.
    """
    sold: list[TaxRate | None]
    if row.price_id is not None:
        sold = [in_force(rates.by_id.get(row.tax_rate_id), at, seller.timezone)]
    elif row.tax_code == TaxCode.UNTAXED:
        sold = [None]
    else:
        then = {name: rate.on(at.astimezone(zone_info(seller.timezone)).date()) for name, rate in rates.by_name.items()}
        sold = [*sold_at(then, carried(row.tax_percent, row.tax_inclusive, row.tax_code))]
    found = {treatment(seller.country, profile.country, profile.has_tax_id, rate, seller.oss) for rate in sold}
    if len(found) != 1:
        mend = f"which of the rates {row.description[:60]!r} was sold at is not known; credit it, and charge it anew"
        raise Refused(Fault("invoice", "tax_rate_unknown", mend))
    return found.pop()


def _note(parts: Parts, session: Session, order: Order, old: Invoice, made: Replaced) -> None:
    note(
        parts,
        session,
        order,
        action="invoice.replace",
        subject_type="invoice",
        subject_id=old.id,
        seller_id=old.seller_id,
        before={},
        after={"status": old.status, "document": made.note, "replaced_by": made.replaced_by},
    )
