"""Completing: an invoice that lacks what the law asks for waits as a draft; its work item names what is missing.

Once that is entered, the next sweep issues it. Only for sellers that want it (`complete_documents`, `e_invoices`);
nothing is looked at for others. Parties are looked at as the bytes that they are sealed as: parsing each would cost
renewals more than all other rules do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from billing.commands.invoice.compose import Wallet
from billing.commands.invoice.planned import Held, PlannedInvoice
from billing.commands.work_item.close import close_for
from billing.commands.work_item.raise_item import raise_item
from billing.flows.national import national_taxes
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.kernel.period import zone_info
from billing.kernel.status import LIVE_WORK, InvoiceStatus
from billing.kernel.work import WorkKind
from billing.models import Invoice, Profile, Seller, WorkItem
from billing.queries.brakes import BrakeKind, moves
from billing.rules.completeness import Mandate, Requirement, mandate, required, told
from billing.rules.national import NationalTax
from billing.rules.totals import Totals

_KINDS = (WorkKind.INVOICE_INCOMPLETE, WorkKind.E_INVOICE_REQUIRED)
_EMPTY = {
    name: (f'"{name}":'.encode(), f'"{name}":""'.encode(), f'"{name}":null'.encode())
    for name in ("line1", "city", "tax_id")
}
"""Of names there are none that are empty: those are refused at the door."""
_BUYER = b',"buyer":'
_REGISTER = b'"register":{"valid":'
_SUMMARIES = {
    WorkKind.INVOICE_INCOMPLETE: "An invoice lacks what the law asks for; it waits as a draft, without a number.",
    WorkKind.E_INVOICE_REQUIRED: "The law asks for a structured invoice here; it waits as a draft, without a number.",
}

_NO_RATE = (
    "document.seller_tax (art. 230): no exchange rate of {currency} is known for its day; it is issued once the rates "
    "of the ECB were read, see BILLING_EXCHANGE_RATES"
)

Lack = tuple[WorkKind, str]
"""What kind of lack, and what is missing, in words without a value."""


def lacks(
    parts: Parts,
    sellers: Mapping[UUID, Seller],
    documents: Sequence[PlannedInvoice],
    taxes: Mapping[UUID, NationalTax | None],
    *,
    now: datetime,
) -> dict[UUID, Lack]:
    """Which of these invoices may not have a number yet, and why. `sellers`: of `gated_sellers`; pure."""
    if not sellers:
        return {}
    carried = parts.settings.e_invoice_countries
    days = {id_: now.astimezone(zone_info(seller.timezone)).date() for id_, seller in sellers.items()}
    asks, waits = parts.vat_register is not None, parts.settings.billing_vat_register_silent == "wait"
    found: dict[UUID, Lack] = {}
    for each in documents:
        seller = sellers.get(each.seller_id)
        if seller is None or each.kind != "invoice":
            continue
        if seller.complete_documents:
            needed = required(seller.country, each.buyer_kind, each.totals.reverse_charge)
            if needed and (missing := _missing(needed, each.parties_json)):
                found[each.id] = (WorkKind.INVOICE_INCOMPLETE, told(missing))
                continue
            if asks and each.totals.reverse_charge and (why := _unconfirmed(each.parties_json, waits=waits)):
                found[each.id] = (WorkKind.INVOICE_INCOMPLETE, why)
                continue
            if each.id in taxes and taxes[each.id] is None:
                found[each.id] = (WorkKind.INVOICE_INCOMPLETE, _NO_RATE.format(currency=each.currency.upper()))
                continue
        if seller.e_invoices != "off" and seller.country not in carried:
            law = mandate(seller.country, each.buyer_country, each.buyer_kind, seller.e_invoices, days[seller.id])
            if law is not None:
                found[each.id] = (WorkKind.E_INVOICE_REQUIRED, _asked(law))
    return found


def gated_sellers(session: Session, ids: Iterable[UUID]) -> dict[UUID, Seller]:
    """Those of these sellers whose documents are looked at before they are issued. One statement."""
    query = select(Seller).where(Seller.id.in_(list(ids)), Seller.complete_documents | (Seller.e_invoices != "off"))
    return {seller.id: seller for seller in session.scalars(query)}


def _missing(needed: Sequence[Requirement], parties: bytes) -> tuple[Requirement, ...]:
    """JSON of ours has no spaces, and a quote inside a value is escaped: what is empty reads so and only so."""
    seller, _, buyer = parties.partition(_BUYER)
    of = {"seller": seller, "buyer": buyer}
    return tuple(each for each in needed if _is_empty(of[each.party], each.field))


def _is_empty(party: bytes, field: str) -> bool:
    if field not in _EMPTY:
        return False
    key, blank, null = _EMPTY[field]
    return blank in party or null in party or key not in party


def _unconfirmed(parties: bytes, *, waits: bool) -> str | None:
    """Why the charge may not be reversed: the register said no, or, where sales wait for it, nothing yet."""
    if _REGISTER + b"false" in parties:
        return "buyer.tax_id (art. 196): VIES knows no such number; enter the right one, or tax the draft's lines anew"
    if waits and _REGISTER + b"true" not in parties:
        return "buyer.tax_id (art. 196): VIES has not confirmed it yet; it is asked again by itself"
    return None


def _asked(law: Mandate) -> str:
    return (
        f"{law.country}: {law.source}; name a transport in BILLING_E_INVOICE_TRANSPORTS, or the country in "
        "BILLING_E_INVOICE_COUNTRIES once your application sends its invoices"
    )


def withhold(
    session: Session, documents: Sequence[PlannedInvoice], found: dict[UUID, Lack], *, wallet: Wallet, now: datetime
) -> list[PlannedInvoice]:
    """The documents, with those that lack something as drafts under their work items. What they took goes back.

    One that waits for its first payment can't: money for it would come before its number may. Raises `Refused`, as
    `require_complete`.
    """
    require_complete(
        {each.id: found[each.id] for each in documents if each.held is Held.FIRST_PAYMENT and each.id in found}
    )
    made = []
    for each in documents:
        if each.id not in found or each.held:
            made.append(each)
            continue
        totals = _put_back(each, wallet)
        item = _raise(session, each, found[each.id], now)
        made.append(each._replace(totals=totals, held=Held.GUARD, hold_id=item.id))
    return made


def _put_back(document: PlannedInvoice, wallet: Wallet) -> Totals:
    """Its credit, and what it brought forward."""
    totals = document.totals
    used, brought = totals.credit_applied_minor, totals.brought_forward_minor
    wallet.add(document.seller_id, document.profile_id, document.currency, used, carried_forward_minor=brought)
    return totals._replace(credit_applied_minor=0, brought_forward_minor=0, amount_due_minor=totals.total_minor)


def require_complete(found: Mapping[UUID, Lack]) -> None:
    """For what a person orders at once. Raises `Refused`: `invoice_incomplete`, `e_invoice_required`."""
    for kind, what in found.values():
        raise Refused(Fault("invoice", kind.value, what))


def mended(
    parts: Parts,
    session: Session,
    drafts: Sequence[Invoice],
    planned: Sequence[PlannedInvoice],
    *,
    wallet: Wallet,
    now: datetime,
) -> list[PlannedInvoice]:
    """Of locked drafts that are about to be issued, those that may be; the items of the others say what is missing now.

    One whose first payment has come is issued all the same.
    """
    wanted = {draft.id: draft for draft in drafts if draft.review_until is not None}
    asked = [each for each in planned if each.id in wanted]
    sellers = gated_sellers(session, {each.seller_id for each in asked})
    taxes = national_taxes(parts, session, sellers, asked, now=now)
    found = lacks(parts, sellers, asked, taxes, now=now)
    for each in planned:
        draft = wanted.get(each.id)
        if draft is None:
            continue
        if each.id not in found:
            _let_go(session, draft, now)
            continue
        _put_back(each, wallet)
        if draft.hold_id is None:
            draft.hold_id = _raise(session, each, found[each.id], now).id
        else:
            session.execute(update(WorkItem).where(WorkItem.id == draft.hold_id).values(error=found[each.id][1]))
    session.flush()
    return [each for each in planned if each.id not in found]


def _let_go(session: Session, draft: Invoice, now: datetime) -> None:
    """Nothing is missing any more."""
    if draft.hold_id is not None:
        draft.hold_id = None
        for kind in _KINDS:
            close_for(session, kind=kind, subject_id=draft.id, now=now)


def waiting(session: Session, *, most: int) -> list[UUID]:
    """Drafts that wait for a fact, those first that were not looked at for longest; they are looked at now."""
    query = (
        select(WorkItem.id, Invoice.id)
        .join(Invoice, WorkItem.id == Invoice.hold_id)
        .where(
            Invoice.status == InvoiceStatus.DRAFT,
            WorkItem.kind.in_(_KINDS),
            WorkItem.status.in_(LIVE_WORK),
            Invoice.profile_id.in_(select(Profile.id).where(Profile.hold_id.is_(None))),
            text(moves(BrakeKind.ISSUE, "invoice")),
        )
        .order_by(WorkItem.updated_at, WorkItem.id)
        .limit(most)
        .with_for_update(of=WorkItem, skip_locked=True)
    )
    found = session.execute(query).all()
    if found:
        # Moved back whatever becomes of them: else what lacks something for long would keep all others from their turn.
        looked_at = update(WorkItem).where(WorkItem.id.in_([item for item, _ in found]))
        looked_at = looked_at.values(updated_at=func.clock_timestamp()).execution_options(synchronize_session=False)
        session.execute(looked_at)
    return [draft for _, draft in found]


def _raise(session: Session, document: PlannedInvoice, lack: Lack, now: datetime) -> WorkItem:
    kind, what = lack
    return raise_item(
        session,
        kind=kind,
        subject_type="invoice",
        subject_id=document.id,
        seller_id=document.seller_id,
        profile_id=document.profile_id,
        amount_minor=document.totals.total_minor,
        currency=document.currency,
        summary=_SUMMARIES[kind],
        error=what,
        safe_actions=["park"],
        now=now,
    )
