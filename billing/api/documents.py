"""A document in somebody's hand: as a page, as a file, in words, with its parties, by a link."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field

from billing.api.invoices import shown
from billing.api.operation import BY_REQUEST, Call, Operation
from billing.api.shapes import Shape
from billing.flows import links, looking
from billing.flows.documents import Printed, document_html, document_pdf
from billing.queries.operations.explaining import document_account
from billing.rules.explain import explain
from billing.validators.api_key import Scope


class LookQuery(Shape):
    """Why what is personal is opened; kept in the audit trail."""

    reason: str = Field(default=BY_REQUEST, min_length=1, max_length=500)


class PrintQuery(LookQuery):
    """In which language; the customer's unless said."""

    language: Literal["en", "de", "fr", "es"] | None = None


class Explained(Shape):
    """How each line, the tax and the total came about, sentence by sentence. Nothing personal."""

    lines: list[str]


class Parties(Shape):
    """Seller and buyer, as the document names them for ever."""

    seller: dict[str, Any]
    buyer: dict[str, Any]


class Link(Shape):
    """An address for the customer alone: whoever has it can open it until it expires. Each request makes another."""

    url: str


def _print(printer: Callable[..., Printed]) -> Callable[[Call], bytes]:
    def act(call: Call) -> bytes:
        with call.parts.begin() as session:
            shown(session, call.seller_id, call.id)
        looking.note_print(call.parts, call.id, order=call.bare_order(call.query.reason))
        return printer(call.parts, call.id, language=call.query.language).content

    return act


def _explain(call: Call) -> Explained:
    with call.parts.begin() as session:
        shown(session, call.seller_id, call.id)
        return Explained(lines=list(explain(document_account(session, call.id))))


def _parties(call: Call) -> Parties:
    with call.parts.begin() as session:
        shown(session, call.seller_id, call.id)
    found = looking.open_parties(call.parts, call.id, order=call.bare_order(call.query.reason))
    return Parties(seller=found["seller"], buyer=found["buyer"])


def _pay_link(call: Call) -> None:
    call.do(
        lambda session: Link(url=links.invoice_link(call.parts, session, shown(session, call.seller_id, call.id).id))
    )


def _document_link(call: Call) -> None:
    call.do(
        lambda session: Link(url=links.document_link(call.parts, session, shown(session, call.seller_id, call.id).id))
    )


OPERATIONS = (
    Operation("GET", "/invoices/{id}/pdf", "print_invoice", "The document as the customer gets it, as a file.",
              Scope.PERSONAL, _print(document_pdf), Shape, query=PrintQuery, media="application/pdf"),
    Operation("GET", "/invoices/{id}/html", "show_invoice_page", "The document as a page, which may be printed too.",
              Scope.PERSONAL, _print(document_html), Shape, query=PrintQuery, media="text/html"),
    Operation("GET", "/invoices/{id}/parties", "show_invoice_parties", "Seller and buyer, as the document names them.",
              Scope.PERSONAL, _parties, Parties, query=LookQuery),
    Operation("GET", "/invoices/{id}/explanation", "explain_invoice", "How its amounts came about, in words.",
              Scope.READ, _explain, Explained),
    Operation("POST", "/invoices/{id}/pay-link", "link_to_pay_invoice",
              "A link with which the customer pays it, authenticates, or gives another card.", Scope.WRITE, _pay_link,
              Link, status=201),
    Operation("POST", "/invoices/{id}/document-link", "link_to_document",
              "A link that opens the document, names too; append `.pdf` for the file.", Scope.PERSONAL, _document_link,
              Link, status=201),
)  # fmt: skip
