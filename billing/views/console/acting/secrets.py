"""`/console/endpoints/<id>/rotate`: a new signing secret, told on this one page and never again."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, request

from billing.flows import endpoints
from billing.flows.parts import Parts
from billing.kernel.errors import Refused
from billing.rules.permission import Permission
from billing.views.console.acting.endpoints import ROTATE
from billing.views.console.acting.reading import whole
from billing.views.console.rendering import page
from billing.views.console.things import shown
from billing.views.console.visiting import visit

_MOST_HOURS = 720


def add_secrets(door: Blueprint, parts: Parts) -> None:
    """The one address."""

    @door.post("/endpoints/<uuid:id_>/rotate")
    def rotate(id_: UUID) -> Response:
        order = visit().order(Permission.KEYS)
        given = request.form.to_dict()
        try:
            hours = whole(given.get("keep_hours", "").strip(), field="keep_hours", most=_MOST_HOURS)
            made = endpoints.rotate(parts, id_, keep_hours=hours, order=order)
        except Refused as refused:
            return shown(parts, "endpoints", id_, 409, faults=refused.faults, acted=ROTATE, given=given)
        return page("secret.html", title=made.done.name, told=made.done.told, secret=made.secret, id_=id_)
