"""The application: PayPal's paths and the sandbox's own, over one store. An ordinary WSGI application."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from billing.sandbox.paypal import tokens
from billing.sandbox.paypal.doors import DOORS
from billing.sandbox.paypal.serving import serve
from billing.sandbox.paypal.settling import TIMERS
from billing.sandbox.paypal.signing import CERT_PATH, chain, sealed
from billing.sandbox.paypal.wallets import WALLETS
from billing.sandbox.stripe.app import Application
from billing.sandbox.stripe.doors import Door
from billing.sandbox.stripe.errors import ApiError
from billing.sandbox.stripe.standin import Deliver, DeliverMany, StandIn, stand_in_over
from billing.sandbox.stripe.store import Store
from billing.sandbox.stripe.wishes import body_of

MAX_BODY = 1 << 20


def create_app(
    store: Store,
    *,
    deliver: Deliver | None = None,
    deliver_many: DeliverMany | None = None,
    seed: int | None = None,
    in_process: bool = False,
) -> Application:
    """The application of a stand-in over `store`, as the Stripe stand-in's `create_app` makes one."""
    stand_in = stand_in_over(
        store,
        deliver=deliver,
        deliver_many=deliver_many,
        seed=seed,
        in_process=in_process,
        seal=sealed,
        timers=TIMERS,
    )
    app = Flask(__name__, static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY, PROPAGATE_EXCEPTIONS=True)
    for (method, path), door in DOORS.items():
        app.add_url_rule(f"/_sandbox/{path}", f"{method} {path}", _open(stand_in, door), methods=[method])
    app.add_url_rule("/_sandbox/approve/<id>", "approve", _approve(stand_in), methods=["GET", "POST"])
    app.add_url_rule(CERT_PATH, "certificate", lambda: Response(chain(stand_in), mimetype="text/plain"))
    app.add_url_rule("/<path:path>", "api", _api(stand_in), methods=["GET", "POST", "DELETE"])
    return Application(app, stand_in)


def _api(stand_in: StandIn) -> Callable[..., Response]:
    def view(path: str) -> Response:
        answer = serve(
            stand_in,
            request.method,
            f"/{path}?{request.query_string.decode()}",
            dict(request.headers.items()),
            request.get_data(),
            gone=request.environ.get("waitress.client_disconnected"),
        )
        return Response(answer.text, status=answer.status, headers=answer.headers, mimetype="application/json")

    return view


def _approve(stand_in: StandIn) -> Callable[..., BaseResponse]:
    """PayPal's page as the payer sees it: a wallet, and whether to agree."""

    def view(id: str) -> BaseResponse:
        with stand_in.store.transaction() as tx:
            found = tx.any(tokens.SETUP, id)
        if found is None:
            return _json({"message": "There is no such setup token."}, 404)
        if request.method == "GET":
            choices = "".join(f"<option>{name}</option>" for name in WALLETS)
            return Response(_PAGE.format(choices=choices), mimetype="text/html")
        if request.form.get("agree"):
            try:
                DOORS["POST", "setup-tokens/<id>/approve"](stand_in, id, {"wallet": request.form.get("wallet", "")})
            except ApiError as error:
                return _json(error.body, error.status)
        return redirect(found.hidden["return_url"], 303)

    return view


_PAGE = """<!doctype html><html lang="en"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>PayPal stand-in</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 3rem auto; padding: 0 1.25rem; }}
select, button {{ display: block; width: 100%; min-height: 3rem; margin-top: .5rem; font: inherit; }}
</style>
<h1>PayPal stand-in</h1><p>Whether later payments may be taken from this wallet.</p><form method="post">
<p><label>Wallet <select name="wallet">{choices}</select></label></p>
<p><button name="agree" value="1">Agree and continue</button> <button>Cancel</button></p></form></html>"""


def _open(stand_in: StandIn, door: Door) -> Callable[..., Response]:
    def view(id: str = "") -> Response:
        try:
            given = request.args.to_dict() if request.method == "GET" else body_of(request.get_data())
            return _json(door(stand_in, id, given), 200)
        except ApiError as error:
            return _json(error.body, error.status)

    return view


def _json(body: Any, status: int) -> Response:
    return Response(json.dumps(body) + "\n", status=status, mimetype="application/json")
