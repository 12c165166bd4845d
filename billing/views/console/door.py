"""The console's blueprint: every address is closed until somebody who may is in, and every answer keeps to itself."""

from __future__ import annotations

import traceback
from typing import NoReturn
from urllib.parse import quote

import structlog
from flask import Blueprint, Response, g, redirect, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response as AnyResponse

from billing.flows.parts import Parts
from billing.kernel.errors import BillingError, Fault, Refused
from billing.kernel.ids import new_id
from billing.rules.second_person import Limits
from billing.views.console.acting.brakes import add_brakes
from billing.views.console.acting.changes import add_changes
from billing.views.console.acting.door import add_acting
from billing.views.console.acting.secrets import add_secrets
from billing.views.console.cells import (
    OURS,
    cell,
    heading,
    is_long,
    is_number,
    named,
    only,
    short,
    span,
    taxes,
    unit_price,
)
from billing.views.console.entering import add_entering
from billing.views.console.headers import HEADERS
from billing.views.console.lists import add_lists
from billing.views.console.looks import add_looks
from billing.views.console.orders import add_orders
from billing.views.console.rendering import ASSETS, FILTERS, KINDS, page, with_query
from billing.views.console.searching import add_searching
from billing.views.console.things import add_things
from billing.views.console.today import add_today
from billing.views.console.visiting import BODY_LIMIT, Door
from billing.views.console.work import add_work
from billing.writing.tables import columns_of, is_rows

_log = structlog.get_logger(__name__)

_OPEN = {"console.login", "console.come_in", "console._asset"}
_STATUS = {"control_character": 400, "not_permitted": 403, "not_from_a_page": 403, "operator_unknown": 403}


def console(parts: Parts) -> Blueprint | None:
    """The console over these parts; None where the setting keeps it off."""
    if parts.settings.billing_console == "off":
        return None
    # A currency that there is not is told at the start, not at the first refund.
    Limits.of(parts.settings.billing_second_person_above)
    door = Blueprint("console", __name__, url_prefix="/console", template_folder="templates")
    gate = Door(parts)
    for name, write in FILTERS.items():
        door.add_app_template_filter(write, name)
    helpers = (cell, columns_of, heading, is_long, is_number, is_rows, named, only, short, span, taxes, unit_price)
    for helper in (with_query, new_id, *helpers):
        door.add_app_template_global(helper)
    door.add_app_template_global(lambda: OURS, "ours")

    @door.before_request
    def let_in() -> AnyResponse | None:
        request.max_content_length = BODY_LIMIT
        _require_storable(request.args, request.form)
        if request.endpoint in _OPEN or gate.let_in():
            return None
        here = request.full_path.rstrip("?") if request.method == "GET" else "/console/"
        undone = request.method != "GET" and request.endpoint != "console.go"
        there = f"/console/enter?next={quote(here, safe='/')}{'&undone=1' if undone else ''}"
        if request.headers.get("HX-Request"):
            return Response(status=204, headers={"HX-Redirect": there})
        return redirect(there, 303)

    @door.after_request
    def guard(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        gate.keep(response)
        return response

    door.register_error_handler(Exception, _broken)
    door.get("/assets/<name>")(_asset)
    door.get("/<path:_>")(_nothing)
    add_entering(door, parts, gate)
    add_today(door, parts)
    add_work(door, parts)
    add_lists(door, parts)
    add_things(door, parts)
    add_searching(door, parts)
    add_orders(door, parts)
    add_looks(door, parts)
    add_acting(door, parts)
    add_brakes(door, parts)
    add_changes(door, parts)
    add_secrets(door, parts)
    return door


def _require_storable(*given: MultiDict[str, str]) -> None:
    """Raise `Refused` for the one sign that PostgreSQL can't store, which no key types."""
    if any("\0" in text for each in given for pair in each.items(multi=True) for text in pair):
        raise Refused(Fault("form", "control_character", "leave the sign U+0000 out"))


def _broken(error: Exception) -> AnyResponse | HTTPException:
    # Told here, or the framework would log the address, and with it what was searched for.
    if isinstance(error, NotFound):
        told = "There is no such page. What has an id, a number or a name is found by the search."
        return page("broken.html", 404, title="Not found", told=told)
    if isinstance(error, HTTPException):
        return error
    if isinstance(error, Refused):
        status = 404 if error.code.endswith("_not_found") else _STATUS.get(error.code, 409)
        return page("refused.html", status, title="Not done", faults=error.faults)
    if isinstance(error, BillingError):
        return page("broken.html", 409, title="Not done", told=str(error))
    trace = "".join(traceback.format_tb(error.__traceback__))[-4000:]
    _log.error("console_failed", error=type(error).__name__, trace=trace)
    away = isinstance(error, DBAPIError | PoolTimeout)
    g.pop("console_visit", None)
    return page("broken.html", 503 if away else 500, title="Out of order", told=None)


def _nothing(_: str) -> NoReturn:
    """Whatever else is asked for below the console: known to it, so that its own page says that there is none."""
    raise NotFound


def _asset(name: str) -> Response:
    if name not in KINDS:
        return Response(status=404)
    response = Response((ASSETS / name).read_bytes(), mimetype=KINDS[name])
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
