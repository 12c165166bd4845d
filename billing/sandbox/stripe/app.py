"""The application: Stripe's paths and the sandbox's own, over one store. An ordinary WSGI application."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from typing import Any

from flask import Flask, Response, request
from werkzeug.test import Client

from billing.sandbox.stripe import browser, gate
from billing.sandbox.stripe.credentials import account_of
from billing.sandbox.stripe.doors import DOORS, Door
from billing.sandbox.stripe.errors import ApiError
from billing.sandbox.stripe.passing import Asked, note_alone
from billing.sandbox.stripe.requestlog import Entry
from billing.sandbox.stripe.routes import ROUTES
from billing.sandbox.stripe.standin import Deliver, DeliverMany, StandIn, stand_in_over
from billing.sandbox.stripe.store import Store
from billing.sandbox.stripe.values import new_id
from billing.sandbox.stripe.wishes import body_of

MAX_BODY = 1 << 20
_NAME = "billing.stand_in"
"""Under which a request's environment names whom it is for."""


def create_app(
    store: Store,
    *,
    deliver: Deliver | None = None,
    deliver_many: DeliverMany | None = None,
    seed: int | None = None,
    in_process: bool = False,
) -> Application:
    """The application of a stand-in as `stand_in_over` makes one."""
    stand_in = stand_in_over(store, deliver=deliver, deliver_many=deliver_many, seed=seed, in_process=in_process)
    return Application(_program(), stand_in)


class Application:
    """A WSGI application: the one program of this process, over this stand-in."""

    def __init__(self, program: Flask, stand_in: StandIn) -> None:
        self._program = program
        self.stand_in = stand_in

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ[_NAME] = self.stand_in
        return self._program(environ, start_response)

    def test_client(self) -> Client:
        """A caller without HTTP."""
        return Client(self)


def stand_in_of(app: Application) -> StandIn:
    """The stand-in behind an application made by `create_app`."""
    return app.stand_in


@cache
def _program() -> Flask:
    """Every route. To compile them takes longer than most stand-ins of a test live, so all of a process share them."""
    app = Flask(__name__, static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY, PROPAGATE_EXCEPTIONS=True)
    for route in ROUTES:
        app.add_url_rule(route.path, f"{route.method} {route.path}", _serve(route), methods=[route.method])
    for (method, path), door in DOORS.items():
        app.add_url_rule(f"/_sandbox/{path}", f"{method} {path}", _open(door), methods=[method])
    for name in browser.ASSETS:
        app.add_url_rule(f"/_sandbox/{name}", f"asset {name}", _asset(name), methods=["GET"])
    app.register_error_handler(404, _unknown_path)
    app.register_error_handler(405, _unknown_path)
    return app


def _asked() -> StandIn:
    """The stand-in that this request is for."""
    stand_in = request.environ[_NAME]
    assert isinstance(stand_in, StandIn)
    return stand_in


def _serve(route: gate.Route) -> Callable[..., Response]:
    def view(**args: str) -> Response:
        asked = Asked(
            method=request.method,
            path=request.path,
            raw=_raw(),
            header=request.headers.get,
            args=args,
            gone=request.environ.get("waitress.client_disconnected"),
        )
        answer = gate.answer(_asked(), route, asked)
        return _response(answer.text, answer.status, answer.headers)

    return view


def _open(door: Door) -> Callable[..., Response]:
    def view(id: str = "") -> Response:
        try:
            given = request.args.to_dict() if request.method == "GET" else body_of(request.get_data())
            return _json(door(_asked(), id, given), 200)
        except ApiError as error:
            return _json(error.body, error.status, error.headers)

    return view


def _asset(name: str) -> Callable[[], Response]:
    def view() -> Response:
        text, kind = browser.asset(name)
        return Response(text, mimetype=kind)

    return view


def _raw() -> str:
    """All parameters, wherever they stand."""
    given = [request.query_string.decode(), request.get_data(as_text=True) if request.method == "POST" else ""]
    return "&".join(each for each in given if each)


def _unknown_path(_: Exception) -> Response:
    """Whatever was sent to a path that we don't serve has reached the provider all the same, so it is written down."""
    entry = Entry(request.method, request.path, request_id=new_id("req"), key=request.headers.get("Idempotency-Key"))
    error = ApiError(404, f"Unrecognized request URL ({request.method}: {request.path}).")
    if not request.path.startswith("/_sandbox/"):
        entry.params = {"raw": _raw() or request.get_data(as_text=True)}
        with suppress(ApiError):
            entry.account, entry.key_hash = account_of(request.headers.get("Authorization") or "")
        note_alone(_asked(), entry.ended(404, "refused"))
    return _json(error.body, 404, {"Request-Id": entry.request_id})


def _json(body: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    return _response(json.dumps(body), status, headers)


def _response(text: str, status: int, headers: dict[str, str] | None) -> Response:
    return Response(text + "\n", status=status, headers=headers, mimetype="application/json")
