"""`/console/<list>/<id>/do`: an act of a page is tried or done; what is refused is told on the page that asked."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from billing.flows.entering import tell_next
from billing.flows.ordering import Wanted
from billing.flows.parts import Parts
from billing.flows.second_person import ask, rehearse, repeated
from billing.kernel.errors import Fault, Refused, Stale
from billing.rules.permission import Permission
from billing.views.console.acting.act import Act, Given
from billing.views.console.acting.table import ACTS
from billing.views.console.orders import order_id, person, said
from billing.views.console.things import facts_of, shown
from billing.views.console.visiting import visit

_LONGEST = 4000


def add_acting(door: Blueprint, parts: Parts) -> None:
    """An address a page that offers something."""
    for place in ACTS:
        door.add_url_rule(f"/{place}/<uuid:id_>/do", f"do_{place}", _doing(parts, place), methods=["POST"])


def _doing(parts: Parts, place: str) -> Callable[[UUID], AnyResponse]:
    def view(id_: UUID) -> AnyResponse:
        # Who may only read is told so, whatever was asked for.
        visit().require(Permission.WORK)
        act = _the_act(place)
        trying = "try" in request.form
        order = visit().order(act.permission, dry_run=trying)
        given = {name: value.strip()[:_LONGEST] for name, value in request.form.items()}
        try:
            if act.do is not None:
                told = act.do(parts, id_, given, order).told
            else:
                before = None if trying else repeated(parts, order_id(), form=said())
                told = before or (rehearse if trying else ask)(
                    parts, _wanted(parts, place, id_, act, given), by=person(), reason=order.reason
                )
        except (Refused, Stale) as error:
            # With what was typed, so that only what is wrong is typed again.
            return shown(parts, place, id_, 409, faults=faults_of(error), acted=act, given=given)
        if trying:
            return shown(parts, place, id_, tried=told, acted=act, given=given)
        tell_next(parts, visit().who.session_id, f"{told[:1].upper()}{told[1:].removesuffix('.')}.")
        return redirect(f"/console/{place}/{id_}", 303)

    return view


def faults_of(error: Refused | Stale) -> list[Fault]:
    """As a page tells them."""
    return error.faults if isinstance(error, Refused) else [Fault("page", "changed_meanwhile", str(error))]


def _the_act(place: str) -> Act:
    for each in ACTS[place]:
        if each.name == request.form.get("action") and not each.own_address:
            return each
    raise Refused(Fault("action", "action_unknown", "choose one of the buttons"))


def _wanted(parts: Parts, place: str, id_: UUID, act: Act, given: Given) -> Wanted:
    """The order that the form gives."""
    assert act.stake is not None
    stake = act.stake(parts, facts_of(parts, place, id_), given)
    return Wanted(order_id(), act.name, act.subject, id_, stake.amounts, stake.facts, said())
