"""What moves money or debt by hand: corrections of an invoice, refunds, credit notes, credit, charges once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.invoices import Document, DocumentQuery, Invoice, listed, shown
from billing.api.operation import Call, Operation, missing
from billing.api.profiles import shown as shown_profile
from billing.api.shapes import Code, Currency, Id, Instant, Listed, Minor, Paging, Shape, Why, facts
from billing.flows import operating, operating_profiles
from billing.flows.paying_out import order_payout
from billing.kernel.money import MOST_AMOUNT, MOST_TOTAL
from billing.queries.api.money import balances, corrections, refunds, the_refund, these_refunds
from billing.validators.api_key import Scope

_Amount = Annotated[int, Field(ge=1, le=MOST_TOTAL, description="In minor units, tax included.")]


class Part(Why):
    """All that can be, unless an amount is named."""

    amount_minor: _Amount | None = None


class PaidGiven(Part):
    """Money that came another way: a part leaves the rest open, an excess goes into the balance. Of a paid invoice it
    first pays what a lost dispute has taken; where nothing is owed it needs an amount and a reference."""

    reference: str = Field(default="", max_length=200)
    received_at: Instant | None = None


class CreditGiven(Why):
    """Credit for a customer's next invoices in that currency; `prepaid`: they have paid it another way."""

    amount_minor: _Amount
    currency: Currency
    prepaid: bool = False


class ChargeGiven(Why):
    """An invoice of one line, collected like any other. The amount is net, or gross of an inclusive rate."""

    amount_minor: Annotated[int, Field(ge=0, le=MOST_AMOUNT)]
    currency: Currency
    description: str = Field(min_length=1, max_length=500)
    tax_rate: Code | None = "standard"


class Refund(Shape):
    """Money on its way back, or there."""

    id: Id
    invoice_id: Id
    credit_note_id: Id | None
    status: str
    amount_minor: Minor
    currency: str
    reason: str | None
    opened_at: Instant
    closed_at: Instant | None


class Refunded(Shape):
    """The refunds of this request, one a payment that it takes from."""

    invoice: Document
    refunds: list[Refund]


class RefundQuery(Paging):
    """Of which invoice."""

    invoice_id: Id


class Replaced(Shape):
    """The document, the note that credits it in full, and the corrected one in its place."""

    invoice: Invoice
    credit_note: Document
    replaced_by: Document


class PayOutGiven(Why):
    """Credit that goes back to where it was paid from: all of the balance, unless an amount is named."""

    amount_minor: _Amount | None = None
    currency: Currency


class Balance(Shape):
    """Credit in one currency, and what is carried forward to the next invoice in it."""

    currency: str
    amount_minor: Minor
    carried_forward_minor: Minor


class Balances(Shape):
    """A customer's credit, by currency."""

    data: list[Balance]


def _document(session: Session, call: Call) -> Invoice:
    return shown(session, call.seller_id, call.id)


def _mine(call: Call) -> None:
    with call.parts.begin() as session:
        _document(session, call)


def _told(call: Call) -> Callable[[Session], Shape]:
    return lambda session: _document(session, call)


def _void(call: Call) -> None:
    _mine(call)
    operating.void(call.parts, call.id, order=call.order(_told(call), reason=call.body.reason))


def _write_off(call: Call) -> None:
    _mine(call)
    operating.mark_uncollectible(call.parts, call.id, order=call.order(_told(call), reason=call.body.reason))


def _mark_paid(call: Call) -> None:
    _mine(call)
    given: PaidGiven = call.body
    operating.mark_paid(
        call.parts,
        call.id,
        amount_minor=given.amount_minor,
        reference=given.reference,
        received_at=given.received_at,
        order=call.order(_told(call), reason=given.reason),
    )


def _credit(call: Call) -> None:
    _mine(call)
    order = call.order(_told(call), reason=call.body.reason)
    operating.credit(call.parts, call.id, amount_minor=call.body.amount_minor, order=order)


def _apply_credit(call: Call) -> None:
    _mine(call)
    order = call.order(_told(call), reason=call.body.reason)
    operating.apply_credit(call.parts, call.id, amount_minor=call.body.amount_minor, order=order)


def _retry(call: Call) -> None:
    _mine(call)
    operating.retry_invoice(call.parts, call.id, order=call.order(_told(call), reason=call.body.reason))


def _refund(call: Call) -> None:
    _mine(call)

    def told(session: Session) -> Refunded:
        made = [facts(Refund, row) for row in these_refunds(session, call.seller_id, order.wrote)]
        whole = _document(session, call)
        return Refunded(invoice=facts(Document, whole.model_dump()), refunds=made)

    order = call.order(told, reason=call.body.reason)
    operating.refund(call.parts, call.id, amount_minor=call.body.amount_minor, order=order)


def _replace(call: Call) -> None:
    _mine(call)

    def told(session: Session) -> Replaced:
        note, new = (facts(Document, row) for row in corrections(session, call.seller_id, written=order.wrote))
        return Replaced(invoice=_document(session, call), credit_note=note, replaced_by=new)

    order = call.order(told, reason=call.body.reason)
    operating.replace(call.parts, call.id, order=order)


def _pay_out(call: Call) -> None:
    with call.parts.begin() as session:
        shown_profile(session, call.seller_id, call.id)
    given: PayOutGiven = call.body
    order = call.order(lambda session: _balances(session, call), reason=given.reason)
    order_payout(call.parts, call.id, currency=given.currency, amount_minor=given.amount_minor, order=order)


def _write_off_carried_forward(call: Call) -> None:
    with call.parts.begin() as session:
        shown_profile(session, call.seller_id, call.id)
    order = call.order(lambda session: _balances(session, call), reason=call.body.reason)
    operating_profiles.write_off(call.parts, call.id, order=order)


def _grant(call: Call) -> None:
    with call.parts.begin() as session:
        shown_profile(session, call.seller_id, call.id)
    given: CreditGiven = call.body
    operating_profiles.grant(
        call.parts,
        call.id,
        amount_minor=given.amount_minor,
        currency=given.currency,
        prepaid=given.prepaid,
        order=call.order(lambda session: _balances(session, call), reason=given.reason),
    )


def _charge(call: Call) -> None:
    with call.parts.begin() as session:
        shown_profile(session, call.seller_id, call.id)
    given: ChargeGiven = call.body

    def told(session: Session) -> Invoice:
        (written,) = order.wrote
        return shown(session, call.seller_id, written)

    order = call.order(told, reason=given.reason)
    operating_profiles.charge(
        call.parts,
        call.id,
        amount_minor=given.amount_minor,
        currency=given.currency,
        description=given.description,
        tax_rate=given.tax_rate,
        order=order,
    )


def _balances(session: Session, call: Call) -> Balances:
    rows = balances(session, call.seller_id, profile_id=call.id)
    return Balances(data=[facts(Balance, row) for row in rows])


def _show_balances(call: Call) -> Balances:
    with call.parts.begin() as session:
        shown_profile(session, call.seller_id, call.id)
        return _balances(session, call)


def _refunds(call: Call) -> Listed[Refund]:
    wanted: RefundQuery = call.query
    with call.parts.begin() as session:
        page = refunds(session, call.seller_id, invoice_id=wanted.invoice_id, after=wanted.after, limit=wanted.limit)
    return Listed[Refund](data=[facts(Refund, row) for row in page.rows], next=page.next)


def _show_refund(call: Call) -> Refund:
    with call.parts.begin() as session:
        row = the_refund(session, call.seller_id, call.id)
    if row is None:
        raise missing("refund")
    return facts(Refund, row)


def _notes(call: Call) -> Listed[Document]:
    return listed(call, kind="credit_note")


def _verb(name: str, about: str, act: Callable[[Call], None], body: type[Shape], answer: type[Shape]) -> Operation:
    return Operation("POST", f"/invoices/{{id}}/{name}", f"{name.replace('-', '_')}_invoice", about, Scope.MONEY, act,
                     answer, body=body, versioned=True)  # fmt: skip


OPERATIONS = (
    _verb("void", "Take an open invoice back, with a document that says so.", _void, Why, Invoice),
    _verb("write-off", "Give up what is still owed; it is not tried again.", _write_off, Why, Invoice),
    _verb("mark-paid", "Note money that came another way.", _mark_paid, PaidGiven, Invoice),
    _verb("credit", "Issue a credit note: off the debt, or into the balance.", _credit, Part, Invoice),
    Operation("POST", "/invoices/{id}/apply-credit", "apply_credit_to_invoice", "Pay it out of the customer's balance.",
              Scope.MONEY, _apply_credit, Invoice, body=Part, versioned=True),
    _verb("retry", "Try to collect it now.", _retry, Why, Invoice),
    _verb("refund", "Give back what was paid, with a credit note; a worker sends it.", _refund, Part, Refunded),
    _verb("replace", "Credit it in full, and issue a corrected one for the same period.", _replace, Why, Replaced),
    Operation("GET", "/refunds", "list_refunds", "Refunds of an invoice, newest first.", Scope.READ, _refunds,
              Listed[Refund], query=RefundQuery),
    Operation("GET", "/refunds/{id}", "show_refund", "One refund.", Scope.READ, _show_refund, Refund),
    Operation("GET", "/credit-notes", "list_credit_notes", "Credit notes and cancellations, newest first.", Scope.READ,
              _notes, Listed[Document], query=DocumentQuery),
    Operation("GET", "/profiles/{id}/credit", "show_credit", "A customer's credit.", Scope.READ, _show_balances,
              Balances),
    Operation("POST", "/profiles/{id}/credit", "grant_credit", "Give credit for the next invoices.", Scope.MONEY,
              _grant, Balances, body=CreditGiven),
    Operation("POST", "/profiles/{id}/pay-out", "pay_out_credit", "Send credit back to where it was paid from.",
              Scope.MONEY, _pay_out, Balances, body=PayOutGiven),
    Operation("POST", "/profiles/{id}/write-off", "write_off_carried_forward", "Give up what is carried forward.",
              Scope.MONEY, _write_off_carried_forward, Balances, body=Why),
    Operation("POST", "/profiles/{id}/charge", "charge_once", "Invoice one thing, beside all else.", Scope.MONEY,
              _charge, Invoice, body=ChargeGiven, status=201),
)  # fmt: skip
