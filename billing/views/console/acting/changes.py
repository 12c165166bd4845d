"""Other items, or a cancel now: first shown to the cent, then done exactly so, by the token of what was shown."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from uuid import UUID

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from billing.commands.subscription.cancel import CancelWhen
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.flows import previewing
from billing.flows.parts import Parts
from billing.flows.previewing import Preview
from billing.kernel.errors import Fault, Refused, Stale
from billing.rules.permission import Permission
from billing.validators.subscription import MOST_ITEMS, MOST_QUANTITY, NewItem
from billing.views.console.acting.door import faults_of
from billing.views.console.acting.reading import whole
from billing.views.console.acting.subscriptions import CANCEL
from billing.views.console.rendering import page
from billing.views.console.things import facts_of, shown
from billing.views.console.visiting import visit


def add_changes(door: Blueprint, parts: Parts) -> None:
    """`/console/subscriptions/<id>/preview` and `/cancel`: both only show."""

    @door.post("/subscriptions/<uuid:id_>/preview")
    def preview_change(id_: UUID) -> Response:
        def look(session: Session) -> Preview:
            when, proration = _chosen()
            return previewing.preview_change(
                parts, session, id_, items=_items(), when=when, proration=proration
            )  # fmt: skip

        rows = list(zip_longest(request.form.getlist("price"), request.form.getlist("quantity"), fillvalue=""))
        return _shown(parts, id_, look, wished=rows)

    @door.post("/subscriptions/<uuid:id_>/cancel")
    def preview_cancel(id_: UUID) -> Response:
        def look(session: Session) -> Preview:
            prorate = request.form.get("unused") == "balance"
            return previewing.preview_cancel(parts, session, id_, when=CancelWhen.NOW, prorate=prorate)

        return _shown(parts, id_, look, acted=CANCEL)


def _shown(parts: Parts, id_: UUID, look: Callable[[Session], Preview], **more: object) -> Response:
    visit().require(Permission.MONEY)
    try:
        with parts.begin() as session:
            seen = look(session)
    except (Refused, Stale) as error:
        return shown(parts, "subscriptions", id_, 409, faults=faults_of(error), given=request.form.to_dict(), **more)
    facts = facts_of(parts, "subscriptions", id_)
    return page(
        "preview.html", title=facts["code"], facts=facts, id_=id_, seen=seen,
        back_minor=seen.given_back_minor,
        reason=request.form.get("reason", "")[:1000],
    )  # fmt: skip


def _chosen() -> tuple[ChangeWhen, Proration]:
    try:
        return ChangeWhen(request.form.get("when", "")), Proration(request.form.get("proration", ""))
    except ValueError:
        raise Refused(Fault("when", "choice_unknown", "choose one of the lists")) from None


def _items() -> list[NewItem]:
    """The complete new list; a row without a price is none."""
    prices, quantities = (request.form.getlist(name)[:MOST_ITEMS] for name in ("price", "quantity"))
    rows = [
        (price.strip()[:200], quantity.strip()) for price, quantity in zip_longest(prices, quantities, fillvalue="")
    ]
    return [
        NewItem(price, whole(quantity, field="quantity", most=MOST_QUANTITY) if quantity else None)
        for price, quantity in rows
        if price
    ]
