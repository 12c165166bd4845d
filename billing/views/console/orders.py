"""Orders that move money: asked for on the page of what they are about, approved by a second person here."""

from __future__ import annotations

import hashlib
from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from billing.flows import second_person
from billing.flows.entering import tell_next
from billing.flows.parts import Parts
from billing.flows.second_person import Person
from billing.kernel.errors import Fault, Refused
from billing.models import OperatorOrder
from billing.queries.operations.orders import list_orders, waiting_orders
from billing.rules.permission import Permission, needed_for
from billing.views.console.lists import exported, faults_of_query, gathered
from billing.views.console.rendering import page
from billing.views.console.visiting import visit


def add_orders(door: Blueprint, parts: Parts) -> None:
    """`/console/orders`."""

    @door.get("/orders")
    def orders() -> Response:
        if faults := faults_of_query((), {}):
            raise Refused(faults)
        if request.args.get("format") == "csv":
            read = lambda session, before, limit: list_orders(session, before=before, limit=limit)  # noqa: E731
            return exported("orders", gathered(parts, read))
        before = request.args.get("before", type=UUID)
        with parts.begin() as session:
            waiting, found = waiting_orders(session), list_orders(session, before=before)
        mine = {row["id"] for row in waiting if visit().may(needed_for(row["action"], row["facts"].get("do")))}
        return page("orders.html", title="Orders", waiting=waiting, found=found, mine=mine)

    @door.post("/orders/<uuid:order_id>")
    def decide(order_id: UUID) -> AnyResponse:
        visit().require(Permission.READ)
        with parts.begin() as session:
            row = session.get(OperatorOrder, order_id)
        order = visit().order(needed_for(row.action, row.facts.get("do")) if row else Permission.MONEY)
        decided = second_person.approve if request.form.get("decision") == "approve" else second_person.decline
        told = decided(parts, order_id, by=person(), reason=order.reason)
        tell_next(parts, visit().who.session_id, told)
        return redirect("/console/orders", 303)


def person() -> Person:
    """Whoever is at the page."""
    return Person(visit().who.operator_id, visit().who.name)


def said() -> str:
    """What the form at hand says, all but its reason, as a digest: sent again it is the same order."""
    kept = [pair for pair in request.form.items(multi=True) if pair[0] not in ("csrf", "order", "reason", "do")]
    return hashlib.sha256(repr((request.path, sorted(kept))).encode()).hexdigest()


def order_id() -> UUID:
    """The id that came with the form. Raises `Refused` (`not_from_a_page`)."""
    try:
        return UUID(request.form.get("order", ""))
    except ValueError:
        raise Refused(Fault("order", "not_from_a_page", "open the page anew and send its form again")) from None
