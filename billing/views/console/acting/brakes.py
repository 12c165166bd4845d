"""The two brakes: of one customer on the customer's page, of everything or a seller on a page of their own."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, Response, redirect, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from billing.flows import braking
from billing.flows.entering import tell_next
from billing.flows.order import Done, Order
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.models import Seller
from billing.queries.brakes import BrakeKind, brakes_in_force
from billing.queries.operations.finding import find_seller
from billing.queries.operations.paging import Facts
from billing.rules.permission import Permission
from billing.views.console.acting.act import Act, Given
from billing.views.console.rendering import page
from billing.views.console.visiting import visit

_WORDS = {BrakeKind.COLLECT: "charging", BrakeKind.ISSUE: "issuing"}
_SAYS = {
    BrakeKind.COLLECT: "Nothing is charged until it is started again. What is at the provider already comes to an end.",
    BrakeKind.ISSUE: "No invoice is issued until it is started again. Corrections, and charging, go on.",
}
_EVERYTHING = "*"
_STARTED = "What came due meanwhile is caught up with by the next sweep. A wider brake goes on holding."


def _of_customer(kind: BrakeKind, *, stops: bool) -> Act:
    def do(parts: Parts, id_: UUID, _: Given, order: Order) -> Done:
        return (braking.stop if stops else braking.start)(parts, kind, profile_id=id_, order=order)

    def offered(facts: Facts) -> bool:
        stopped = any(row["kind"] == kind and row["scope"] == "customer" for row in facts["stopped"])
        return stopped is not stops

    verb = "stop" if stops else "start"
    label = f"{verb.capitalize()} {_WORDS[kind]}"
    return Act(f"{kind}_{verb}", label, _SAYS[kind] if stops else _STARTED, offered, do=do)


CUSTOMER = tuple(_of_customer(kind, stops=stops) for kind in BrakeKind for stops in (True, False))


def add_brakes(door: Blueprint, parts: Parts) -> None:
    """`/console/brakes`."""

    @door.get("/brakes")
    def show_brakes() -> Response:
        return _page(parts)

    @door.post("/brakes")
    def pull_or_release() -> AnyResponse:
        trying = "try" in request.form
        order = visit().order(Permission.WORK, dry_run=trying)
        act, kind = _chosen()
        try:
            with parts.begin() as session:
                seller_id = _seller(session)
            done = act(parts, kind, seller_id=seller_id, order=order)
        except Refused as refused:
            return _page(parts, 409, faults=refused.faults)
        told = f"{_WORDS[kind].capitalize()} of {done.name}: {done.told}."
        if trying:
            return _page(parts, tried=told)
        tell_next(parts, visit().who.session_id, told)
        return redirect("/console/brakes", 303)


def _chosen() -> tuple[Callable[..., Done], BrakeKind]:
    try:
        kind, verb = request.form.get("what", "").split(".")
        return {"stop": braking.stop, "start": braking.start}[verb], BrakeKind(kind)
    except (KeyError, ValueError):
        raise Refused(Fault("what", "action_unknown", "choose one of the list")) from None


def _seller(session: Session) -> UUID | None:
    """Whose brake; None: of everything, which is chosen as such. Raises `Refused`."""
    chosen = request.form.get("seller", "").strip()[:200]
    if not chosen:
        raise Refused(Fault("seller", "seller_missing", "choose a seller, or everything"))
    return None if chosen == _EVERYTHING else find_seller(session, chosen)


def _page(parts: Parts, status: int = 200, **more: object) -> Response:
    with parts.begin() as session:
        found = [row._asdict() for row in brakes_in_force(session)]
        sellers = [(code, code) for code in session.scalars(select(Seller.code).order_by(Seller.code))]
    return page("brakes.html", status, title="Brakes", found=found, sellers=sellers, given=request.form, **more)
