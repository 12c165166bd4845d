"""Issuing: planned documents get their numbers, credit moves with them, and collection is nudged. One transaction."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.credit.move import move_balances, move_carried_forward
from billing.commands.invoice.compose import Wallet
from billing.commands.invoice.draft import write_drafts
from billing.commands.invoice.issue import DocumentKey, Issued, issue
from billing.commands.invoice.planned import Held, PlannedInvoice
from billing.commands.key.obtain import document_key
from billing.commands.slice.cut import cut
from billing.db.base import Json
from billing.flows.carrying import rooms
from billing.flows.completing import gated_sellers, lacks, require_complete, withhold
from billing.flows.national import national_taxes
from billing.flows.parts import Parts
from billing.models import DataKey, Invoice, Seller
from billing.privacy.sealed import unseal
from billing.queries.standing import Standing, load_standing
from billing.rules.national import NationalTax


def issue_documents(
    parts: Parts,
    session: Session,
    documents: Sequence[PlannedInvoice],
    *,
    wallet: Wallet,
    now: datetime,
    may_wait: bool = False,
) -> list[Issued]:
    """Write the documents in the order given, within the caller's transaction, and hand the charges on after commit.

    `wallet` is the one that they were composed with. An invoice that lacks what the law asks for becomes a draft with
    a work item if it `may_wait`. Raises `Stale` where the day changes meanwhile; `Refused` (`invoice_incomplete`,
    `e_invoice_required`) where it may not, and (`not_reconciled`) while it is open whether the database was restored.
    """
    sellers = gated_sellers(session, {each.seller_id for each in documents})
    taxes = national_taxes(parts, session, sellers, documents, now=now)
    found = lacks(parts, sellers, [each for each in documents if not each.drafted], taxes, now=now)
    if found and may_wait:
        documents = withhold(session, documents, found, wallet=wallet, now=now)
    require_complete({} if may_wait else found)
    move_balances(session, wallet.moves)
    move_carried_forward(session, wallet.brought)
    held = [document for document in documents if document.held]
    documents = [_with_tax(document, taxes) for document in documents if not document.held]
    keys = {
        seller: DocumentKey(*document_key(session, parts.keyring, seller_id=seller, year=now.year))
        for seller in {document.seller_id for document in (*documents, *held)}
    }
    write_drafts(session, held, keys=keys, review_h=_review_h(session, held), now=now)
    issued = issue(session, documents, keys=keys, now=now, read_now=lambda: parts.clock.now(session))
    first = [(each.profile_id, each.id) for each in held if each.held is Held.FIRST_PAYMENT]
    charge_soon(parts, session, [*first, *((each.profile_id, each.id) for each in issued if each.due)])
    return issued


def _with_tax(document: PlannedInvoice, taxes: Mapping[UUID, NationalTax | None]) -> PlannedInvoice:
    known = taxes.get(document.id)
    return document if known is None else document._replace(seller_tax=known)


def _review_h(session: Session, held: Sequence[PlannedInvoice]) -> dict[UUID, int]:
    sellers = {document.seller_id for document in held if document.held is Held.REVIEW}
    if not sellers:
        return {}
    rows = session.execute(select(Seller.id, Seller.draft_review_h).where(Seller.id.in_(sellers)))
    return {row.id: row.draft_review_h for row in rows}


def charge_soon(parts: Parts, session: Session, due: Sequence[tuple[UUID, UUID]]) -> None:
    """Cut (profile, invoice) into slices, oldest first, with at most one invoice of a customer in each slice.

    What its provider account can't take soon is left to the tick, which finds it by its row.
    """
    if not due:
        return
    for room in rooms(parts, session, profiles=[profile_id for profile_id, _ in due]):
        theirs = [each for each in due if each[0] in room.profiles][: room.invoices]
        seen: Counter[UUID] = Counter()
        rounds: dict[int, list[UUID]] = defaultdict(list)
        for profile_id, invoice_id in theirs:
            rounds[seen[profile_id]].append(invoice_id)
            seen[profile_id] += 1
        for members in rounds.values():
            cut(session, kind="charges", members=members, size=room.slice_size, account=room.account)


def open_parties(parts: Parts, standing: Standing) -> dict[UUID, bytes]:
    """Both parties as documents name them, by profile: JSON in the clear, for this transaction only."""
    sellers = {id_: seller_party(seller) for id_, seller in standing.sellers.items()}
    return {
        id_: b'{"seller":'
        + sellers[row.seller_id]
        + b',"buyer":'
        + unseal(
            parts.keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.key_id),
            row.personal,
            table="profile",
            row=id_,
            column="personal",
        )
        + _checked(row.tax_id_check)
        + b"}"
        for id_, row in standing.profiles.items()
    }


def note_parties(parts: Parts, session: Session, invoice: Invoice) -> bytes:
    """Both parties for a note on an invoice: as they are named now; of who was forgotten, as the invoice names them."""
    standing = load_standing(session, profiles=[invoice.profile_id], only=[], held=True)
    found = open_parties(parts, standing).get(invoice.profile_id)
    if found is not None:
        return found
    row = session.get_one(DataKey, invoice.document_key_id)
    key = parts.keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.id)
    return unseal(key, invoice.parties, table="invoice", row=invoice.id, column="parties")


def _checked(check: Json | None) -> bytes:
    """How the buyer's VAT number was checked, frozen with the parties: when, by whom, the consultation's number."""
    if check is None:
        return b""
    if (answer := check.get("register")) is not None:
        # Its outcome first: what looks at these bytes knows it by its place.
        check = {**check, "register": {"valid": answer["valid"], **answer}}
    return b',"tax_id_check":' + json.dumps(check, separators=(",", ":")).encode()


def seller_party(seller: Seller) -> bytes:
    """The seller as documents name it: frozen with each, because a later change of address must not change the past."""
    party = {
        "legal_name": seller.legal_name,
        "country": seller.country,
        "address": seller.address,
        "tax_id": seller.tax_id,
    }
    told = {"payment_instructions": seller.payment_instructions, "document_footer": seller.document_footer}
    party |= {name: text for name, text in told.items() if text}
    return json.dumps(party, separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode()
