"""Orders that move money: asked for on the page of an invoice or customer, approved by a second person here."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from billing.flows import second_person
from billing.flows.entering import tell_next
from billing.flows.parts import Parts
from billing.flows.second_person import Person, Wanted
from billing.kernel.errors import Fault, Refused
from billing.kernel.money import exponent
from billing.models import Invoice, OperatorOrder, Profile
from billing.queries.operations.orders import list_orders, waiting_orders
from billing.rules.permission import Permission, needed_for
from billing.views.console.lists import exported, gathered
from billing.views.console.rendering import page
from billing.views.console.visiting import visit

_OF_INVOICE = ("refund", "write_off", "credit_note")


def add_orders(door: Blueprint, parts: Parts) -> None:
    """`/console/orders`."""

    @door.get("/orders")
    def orders() -> Response:
        if request.args.get("format") == "csv":
            read = lambda session, before, limit: list_orders(session, before=before, limit=limit)  # noqa: E731
            return exported("orders", gathered(parts, read))
        before = request.args.get("before", type=UUID)
        with parts.begin() as session:
            waiting, found = waiting_orders(session), list_orders(session, before=before)
        mine = {row["id"] for row in waiting if visit().may(needed_for(row["action"]))}
        return page("orders.html", title="Orders", waiting=waiting, found=found, mine=mine)

    @door.post("/orders")
    def ask() -> AnyResponse:
        order = visit().order(Permission.MONEY)
        wanted, back = _wanted(parts)
        told = second_person.ask(parts, wanted, by=person(), reason=order.reason)
        tell_next(parts, visit().who.session_id, told)
        return redirect(back, 303)

    @door.post("/orders/<uuid:order_id>")
    def decide(order_id: UUID) -> AnyResponse:
        visit().require(Permission.READ)
        with parts.begin() as session:
            row = session.get(OperatorOrder, order_id)
        order = visit().order(needed_for(row.action if row else ""))
        decided = second_person.approve if request.form.get("decision") == "approve" else second_person.decline
        told = decided(parts, order_id, by=person(), reason=order.reason)
        tell_next(parts, visit().who.session_id, told)
        return redirect("/console/orders", 303)


def person() -> Person:
    """Whoever is at the page."""
    return Person(visit().who.operator_id, visit().who.name)


def order_id() -> UUID:
    """The id that came with the form. Raises `Refused` (`not_from_a_page`)."""
    try:
        return UUID(request.form.get("order", ""))
    except ValueError:
        raise Refused(Fault("order", "not_from_a_page", "open the page anew and send its form again")) from None


def _wanted(parts: Parts) -> tuple[Wanted, str]:
    """The order of the form at hand, and the page that it came from."""
    action, subject = request.form.get("action", ""), request.form.get("subject", type=UUID)
    if subject is None or action not in (*_OF_INVOICE, "credit"):
        raise Refused(Fault("action", "action_unknown", "choose one of the buttons"))
    found: Invoice | Profile | None
    with parts.begin() as session:
        if action == "credit":
            found = session.get(Profile, subject)
            currency, owed = request.form.get("currency", "").strip().lower(), 0
        else:
            invoice = found = session.get(Invoice, subject)
            currency, owed = (invoice.currency, invoice.amount_remaining_minor) if invoice else ("", 0)
    if found is None:
        raise Refused(Fault("subject", "subject_not_found", "open the page anew"))
    kind = "profile" if action == "credit" else "invoice"
    amount = owed if action == "write_off" else minor(request.form.get("amount", ""), currency)
    back = f"/console/{'customers' if kind == 'profile' else 'invoices'}/{subject}"
    return Wanted(order_id(), action, kind, subject, {currency: amount}, {}), back


def minor(text: str, currency: str) -> int:
    """An amount in main units, as people type it, in minor ones. Raises `Refused`."""
    try:
        exact = Decimal(text.strip().replace(",", "")) * 10 ** exponent(currency)
    except InvalidOperation:
        raise Refused(Fault("amount", "amount_unreadable", "give it as 12.34")) from None
    if not exact.is_finite() or exact != int(exact) or not 0 < exact < 10**15:
        raise Refused(Fault("amount", "amount_unreadable", f"give it as 12.34, above 0, in {currency.upper()}"))
    return int(exact)
