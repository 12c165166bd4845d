"""`/api/v1`: each request is let in, read, carried out and answered by one rule. Closed, also to browsers."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

import structlog
from flask import Blueprint, Response, g, request
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from billing.api.absent import absent
from billing.api.document import document
from billing.api.entering import let_in, rate_headers, read
from billing.api.operation import Call, Operation
from billing.api.problems import problem, told
from billing.api.table import OPERATIONS
from billing.db.session import SELLERS_ROLE, is_walled
from billing.flows.once import AlreadyAnswered, Answer
from billing.flows.parts import Parts
from billing.kernel.errors import BillingError, Fault, Refused, Stale
from billing.kernel.failpoints import failpoint

PREFIX = "/api/v1"
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox"
"""A document's page has its style in itself, and needs nothing else."""
_SLASHES = re.compile("/+")
_log = structlog.get_logger(__name__)


def api(parts: Parts) -> Blueprint:
    """The API over these parts."""
    door = Blueprint("api", __name__, url_prefix=PREFIX)
    walled = _walled(parts)

    @door.get("/openapi.json", provide_automatic_options=False)
    def openapi() -> Response:
        return Response(_described(), mimetype="application/json")

    for operation in OPERATIONS:
        path = operation.path.replace("{id}", "<uuid:id>")
        door.add_url_rule(
            path,
            operation.name,
            _view(parts, walled, operation),
            methods=[operation.method],
            provide_automatic_options=False,
        )

    @door.route("/", defaults={"_": ""}, provide_automatic_options=False)
    @door.route("/<path:_>", provide_automatic_options=False, methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
    def nothing(_: str) -> Response:
        return absent(request.path.removeprefix(PREFIX))

    @door.after_request
    def finish(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = _PAGE_POLICY
        entered = g.get("entered")
        if entered is not None:
            response.headers.update(rate_headers(parts, entered))
            if response.status_code == 429:
                response.headers["Retry-After"] = str(entered.resets_in_s)
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @door.before_app_request
    def astray() -> Response | None:
        # An address with a slash twice, or without its last: the framework would send it on, in HTML.
        sent_on = isinstance(request.routing_exception, RequestRedirect)
        return finish(absent(request.path)) if sent_on and _SLASHES.sub("/", request.path).startswith(PREFIX) else None

    @door.app_errorhandler(HTTPException)
    def nowhere(error: HTTPException) -> Response | HTTPException:
        # An address with a line break in it, say, or a method like TRACE is not even a route of what there is not.
        # Not by their codes: the application's handler of a code comes before what other doors say of any failure.
        ours = error.code in (404, 405) and request.path.startswith(PREFIX)
        return finish(absent(request.path.removeprefix(PREFIX))) if ours else error

    door.register_error_handler(Exception, _failed)
    return door


@cache
def _described() -> str:
    """Made for who asks first: a process that nobody asks for it starts without."""
    return json.dumps(document(), indent=1)


def _view(parts: Parts, walled: Callable[[UUID], Parts], operation: Operation) -> Callable[..., Response]:
    def view(**path: Any) -> Response:
        entered = let_in(parts, request)
        call = read(walled(entered.seller_id), entered, operation, request, path)
        if operation.media != "application/json":
            return Response(operation.act(call), mimetype=operation.media)
        return _response(operation, _answer(call))

    return view


def _walled(parts: Parts) -> Callable[[UUID], Parts]:
    """Parts by seller, behind row-level security where the database has its role."""
    with parts.begin() as session:
        if is_walled(session):
            return lru_cache(maxsize=256)(parts.for_seller)
    _log.warning("no_second_wall", role=SELLERS_ROLE, mend="docs/run.md says how a superuser makes the role")
    return lambda _: parts


def _answer(call: Call) -> Answer:
    """Carry it out, or, of a request that was carried out before, say again what was said then."""
    operation = call.operation
    if call.key is None:
        made = operation.act(call)
        return Answer(operation.status, made.model_dump_json() if isinstance(made, BaseModel) else "")
    try:
        before = _answered_before(call)
        if before is not None:
            return before
        operation.act(call)
        failpoint("api.answer")
    except AlreadyAnswered as done:
        return done.answer
    except (Refused, Stale):
        # Flows look at the state of things before they claim the key: what refuses this may be what its twin did.
        before = _answered_before(call)
        if before is None:
            raise
        return before
    assert call.answer is not None
    return call.answer


def _answered_before(call: Call) -> Answer | None:
    with call.parts.begin() as session:
        return call.once(_unread).before(session)


def _unread(_: object) -> Any:
    raise AssertionError("an answer that is looked up is not made")


def _response(operation: Operation, answer: Answer) -> Response:
    response = Response(answer.body, status=answer.status, mimetype="application/json")
    if answer.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    if "version" in operation.answer.model_fields:
        response.headers["ETag"] = f'"{json.loads(answer.body)["version"]}"'
    return response


def _failed(error: Exception) -> Response:
    """A failure as a problem. Nothing of its text leaves, unless it was made to be told."""
    if isinstance(error, HTTPException):
        status = error.code or 500
        codes = {404: "not_found", 413: "body_too_large"}
        return problem([Fault("request", codes.get(status, "not_valid"), "see /api/v1/openapi.json")], status=status)
    foreseen = told(error) if isinstance(error, BillingError) else None
    if foreseen is not None:
        return foreseen
    away = isinstance(error, DBAPIError) and error.connection_invalidated
    if away or isinstance(error, PoolTimeout | OperationalError):
        # Who waited too long for a row, too: whatever it is of the database's, a repeat finds what was done, if any.
        _log.warning("api_unavailable", operation=request.endpoint, error=type(error).__name__)
        return problem([Fault("database", "unavailable", "repeat the request, under its key")], status=503)
    trace = "".join(traceback.format_tb(error.__traceback__))[-4000:]
    _log.error("api_failed", operation=request.endpoint, error=type(error).__name__, trace=trace)
    return problem(
        [Fault("request", "failed", "repeat it under its key; if it stays so, tell us the time")], status=500
    )
