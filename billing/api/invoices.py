"""`/invoices`: what was billed, and what became of the debt."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation, missing
from billing.api.shapes import ChargedBack, Exact, Id, Instant, Listed, Minor, Paging, Shape, Version, facts
from billing.kernel.status import InvoiceStatus
from billing.queries.api.invoices import documents, the_invoice
from billing.validators.api_key import Scope


class Line(Shape):
    """One line of a document; a unit's amount is exact, and may be a fraction of a minor unit."""

    position: int
    kind: str
    price: str | None
    description: str
    quantity: Exact
    unit_amount: Exact | None
    amount_minor: Minor
    discount_minor: Minor
    tax_percent: Exact
    tax_inclusive: bool
    tax_code: str
    period_start: Instant | None
    period_end: Instant | None


class TaxGroup(Shape):
    """The tax at one percent."""

    percent: Exact
    inclusive: bool
    base_minor: Minor
    tax_minor: Minor
    code: str


class Attempt(Shape):
    """One try to collect it."""

    id: Id
    attempt_no: int
    status: str
    amount_minor: Minor
    decline_code: str | None
    opened_at: Instant
    closed_at: Instant | None


class Document(Shape):
    """An invoice, a credit note or a cancellation. Frozen once it has a number; only what becomes of the debt moves."""

    id: Id
    number: str | None
    kind: Literal["invoice", "credit_note", "cancellation"]
    status: str
    profile_id: Id
    subscription_id: Id | None
    corrects_id: Id | None
    collection: str
    currency: str
    subtotal_minor: Minor
    discount_minor: Minor
    tax_minor: Minor
    total_minor: Minor
    credit_applied_minor: Minor
    brought_forward_minor: Minor
    amount_due_minor: Minor
    amount_paid_minor: Minor
    amount_carried_forward_minor: Minor
    amount_refunded_minor: Minor
    amount_remaining_minor: Minor
    amount_charged_back_minor: ChargedBack
    issued_at: Instant | None
    due_at: Instant | None
    paid_at: Instant | None
    period_start: Instant | None
    period_end: Instant | None
    next_attempt_at: Instant | None
    version: Version


class Invoice(Document):
    """A document with its lines, its taxes and the tries to collect it."""

    tax_groups: list[TaxGroup]
    reverse_charge: bool
    legal_notes: list[str]
    buyer_country: str
    buyer_kind: str
    lines: list[Line]
    attempts: list[Attempt]


class DocumentQuery(Paging):
    """Which documents."""

    profile_id: Id | None = None
    subscription_id: Id | None = None
    number: str | None = Field(default=None, min_length=1, max_length=100, examples=["SHOP-000001"])


class InvoiceQuery(DocumentQuery):
    """Which invoices."""

    status: InvoiceStatus | None = None


def shown(session: Session, seller_id: UUID, id_: UUID) -> Invoice:
    """One document of this seller's. Raises `Refused` (`not_found`)."""
    row = the_invoice(session, seller_id, id_)
    if row is None:
        raise missing("invoice")
    return facts(Invoice, row)


def listed(call: Call, *, kind: str, **wanted: object) -> Listed[Document]:
    """A page of documents."""
    query: DocumentQuery = call.query
    with call.parts.begin() as session:
        page = documents(
            session,
            call.seller_id,
            after=query.after,
            limit=query.limit,
            profile=query.profile_id,
            subscription=query.subscription_id,
            number=query.number,
            kind=kind,
            **wanted,
        )
    return Listed[Document](data=[facts(Document, row) for row in page.rows], next=page.next)


def _list(call: Call) -> Listed[Document]:
    status: InvoiceStatus | None = call.query.status
    return listed(call, kind="invoice", status=status)


def _show(call: Call) -> Invoice:
    with call.parts.begin() as session:
        return shown(session, call.seller_id, call.id)


OPERATIONS = (
    Operation(
        "GET", "/invoices", "list_invoices", "Invoices, newest first.", Scope.READ, _list, Listed[Document],
        query=InvoiceQuery,
    ),
    Operation("GET", "/invoices/{id}", "show_invoice", "One document, whole.", Scope.READ, _show, Invoice),
)  # fmt: skip
