"""Documents in the customer's hand: the page and the PDF of an issued document, from its frozen snapshot alone.

What the console, the API, the customer's link and mails call. Reading writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from billing.documents.facts import DocumentFacts
from billing.documents.page import page
from billing.documents.pdf import pdf
from billing.documents.view import View, view
from billing.flows.links import opened_link
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.kernel.failpoints import failpoint
from billing.privacy.link import LinkKind
from billing.queries.document import document_snapshot
from billing.rules.language import LANGUAGES, language_of


@dataclass(frozen=True, slots=True)
class Printed:
    """A document as a file. `name` is fit for a file name."""

    name: str
    content: bytes
    media_type: str
    lacks: tuple[str, ...] = ()
    """Of a PDF: the scripts of letters that no font here has, because of which it is not PDF/A."""


def document_pdf(parts: Parts, invoice_id: UUID, *, language: str | None = None) -> Printed:
    """The PDF, in the customer's language unless another is named.

    Raises `Refused`: `invoice_not_found`, `language_unknown`; `SealBroken`.
    """
    facts, words = _viewed(parts, invoice_id, language)
    made = pdf(words, country=facts.buyer_country, fonts_dir=parts.settings.billing_fonts_dir)
    failpoint("document.printed")
    return Printed(f"{_stem(facts, invoice_id)}.pdf", made.content, "application/pdf", lacks=made.lacks)


def document_facts(parts: Parts, invoice_id: UUID) -> DocumentFacts:
    """What was frozen, opened: personal. Raises as `document_pdf`."""
    with parts.begin() as session:
        return document_snapshot(session, parts.keyring, invoice_id).facts


def document_html(parts: Parts, invoice_id: UUID, *, language: str | None = None) -> Printed:
    """The page, which may be printed too. As `document_pdf`."""
    facts, words = _viewed(parts, invoice_id, language)
    return Printed(f"{_stem(facts, invoice_id)}.html", page(words).encode(), "text/html")


def linked_document(parts: Parts, token: str, *, form: str, language: str | None = None) -> Printed:
    """The document that a link opens, as `pdf` or `html`. Raises `Refused`, of the link or of its kind."""
    with parts.begin() as session:
        link, _ = opened_link(parts, session, token)
    if link.kind is not LinkKind.DOCUMENT:
        raise Refused(Fault("link", "link_invalid", "open the link exactly as it was sent"))
    printer = document_pdf if form == "pdf" else document_html
    return printer(parts, link.subject, language=language)


def _viewed(parts: Parts, invoice_id: UUID, language: str | None) -> tuple[DocumentFacts, View]:
    if language is not None and language not in LANGUAGES:
        raise Refused(Fault("language", "language_unknown", f"give one of {', '.join(LANGUAGES)}"))
    facts = document_facts(parts, invoice_id)
    failpoint("document.read")
    return facts, view(facts, language=language or language_of(facts.buyer_country))


def _stem(facts: DocumentFacts, invoice_id: UUID) -> str:
    return facts.number or f"draft-{invoice_id}"
