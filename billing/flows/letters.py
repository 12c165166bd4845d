"""Letters: what a notice says to its customer, opened and put into words where it is sent, and kept nowhere."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from billing.flows.documents import document_pdf
from billing.flows.links import document_link, has_links, invoice_link
from billing.flows.parts import Parts
from billing.kernel.clock import parse_instant
from billing.mail.letter import Attachment, Content, Letter, write
from billing.queries.profile import open_personal
from billing.rules.debit import is_debit
from billing.rules.dunning import Need
from billing.rules.language import language_of
from billing.rules.method_name import method_name
from billing.rules.notice import WITH_DOCUMENT, NoticeKind
from billing.validators.profile import Personal


class LetterWithoutFont(Exception):
    """The document holds letters that no font here has: it would show boxes. The text names their scripts."""


def addressee(parts: Parts, row: Row[Any]) -> Personal | None:
    """Name and address, opened here and nowhere else; None once they are erased. Raises as the keyring does."""
    if row.key_id is None:
        return None
    key = parts.keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.key_id)
    return open_personal(row.personal, key=key, profile_id=row.profile_id)


def letter(parts: Parts, row: Row[Any], personal: Personal) -> Letter:
    """The letter of a notice, with the document where it goes with one.

    Raises `LetterWithoutFont`, and what opening and setting a document raise.
    """
    facts = row.facts
    at = facts.get("renews_at") or facts.get("next_try_at") or facts.get("debit_at")
    language = language_of(row.country)
    content = Content(
        name=personal.name,
        seller=row.seller,
        country=row.country,
        zone=row.timezone,
        # What is to be paid is less credit and with what was carried forward; a part may have come since.
        amount_minor=row.amount_remaining_minor if _to_pay(row) else facts.get("amount_minor"),
        currency=facts.get("currency"),
        number=row.invoice_number,
        at=parse_instant(at, field="at") if at else None,
        card=_method(row),
        mandate=facts.get("mandate_reference"),
        creditor=facts.get("creditor_id"),
        link=_link(parts, row),
        attachment=_document(parts, row, language) if row.kind in WITH_DOCUMENT else None,
    )
    return write(_form(row), content, language=language)


def _method(row: Row[Any]) -> str | None:
    """The card that was charged, or will be."""
    if not row.last4:
        return None
    return method_name(kind=row.method_kind, brand=row.brand, last4=row.last4, wallet=row.wallet)


def _document(parts: Parts, row: Row[Any], language: str) -> Attachment:
    made = document_pdf(parts, row.invoice_id, language=language)
    if made.lacks:
        raise LetterWithoutFont(f"no font for {', '.join(made.lacks)}: put one into BILLING_FONTS_DIR")
    return Attachment(made.name, made.content, made.media_type)


def _link(parts: Parts, row: Row[Any]) -> str | None:
    if row.invoice_id is None or not has_links(parts):
        return None
    make = document_link if row.kind in WITH_DOCUMENT and not _to_pay(row) else invoice_link
    with parts.begin() as session:
        return make(parts, session, row.invoice_id)


def _to_pay(row: Row[Any]) -> bool:
    """An invoice that the customer pays by their own doing."""
    by_hand: bool = row.collection == "send_invoice" and row.amount_remaining_minor > 0
    return by_hand and row.kind == NoticeKind.INVOICE_ISSUED


def _form(row: Row[Any]) -> str:
    """Which wording. The end, and what is needed, choose it; a bank's reason never does."""
    debit = is_debit(row.method_kind)
    if row.kind == NoticeKind.ACTION_NEEDED:
        need = str(row.facts["need"])
        return "debit_refused" if debit and need == Need.NEW_METHOD else need
    if row.kind == NoticeKind.PAYMENT_FAILED and debit:
        return "debit_failed"
    if row.kind == NoticeKind.DEBIT_UPCOMING and row.facts["again"]:
        return "debit_again"
    if row.kind == NoticeKind.COLLECTION_ENDED:
        return "ended_canceled" if row.facts["final"] == "cancel" else "ended_open"
    if row.kind == NoticeKind.NOTE_ISSUED and row.invoice_kind == "cancellation":
        return "cancellation_issued"
    return "invoice_to_pay" if _to_pay(row) else str(row.kind)
