"""What the page's script may ask for: the state, an attempt, a look after the bank, a card. JSON both ways.

There is no cookie and no account: the link is the key, so no other site can make a browser act here (CSRF), and what a
POST carries is JSON, which no form can send.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any
from uuid import UUID

import structlog
from flask import Blueprint, Response, jsonify, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from billing.flows import customer_page as flow
from billing.flows.customer_shown import Shown
from billing.flows.on_session import Paying, Tried
from billing.flows.parts import Parts
from billing.flows.recurring import Recurring, recurring
from billing.kernel.clock import format_instant
from billing.kernel.errors import Fault, ProviderRefused, ProviderUnavailable, ProviderUncertain, Refused
from billing.views.gate import Gate
from billing.views.localising import visitors_texts

_log = structlog.get_logger(__name__)

CONSENT_VERSION = "page-2026-11"
"""Raise it whenever the sentence `consent` changes; the language is written behind it."""

BROKEN = (Refused, DBAPIError, PoolTimeout, ProviderUnavailable, ProviderUncertain, ProviderRefused)
"""What `seen` has a code for."""

_STATUS = {
    "link_invalid": 404,
    "link_expired": 410,
    "link_revoked": 410,
    "body_too_large": 413,
    "too_many_tries": 429,
}
_BODY_LIMIT = 1024
"""Bytes."""


def add_steps(door: Blueprint, parts: Parts, gate: Gate) -> None:
    """The addresses under `/pay/<token>/`."""

    @door.get("/pay/<token>/state")
    def state(token: str) -> Response:
        return _answered(gate, token, lambda: _state(flow.show(parts, token)))

    @door.post("/pay/<token>/attempts")
    def attempt(token: str) -> Response:
        return _answered(gate, token, lambda: _tried(flow.pay(parts, token, newest=_newest())))

    @door.post("/pay/<token>/attempts/<uuid:payment_id>")
    def look(token: str, payment_id: UUID) -> Response:
        return _answered(gate, token, lambda: _tried(flow.come_back(parts, token, payment_id)))

    _add_methods(door, parts, gate)


def _add_methods(door: Blueprint, parts: Parts, gate: Gate) -> None:
    """A card or a bank account by the provider's form on this page, a wallet by PayPal's own pages; all end alike."""

    @door.post("/pay/<token>/cards")
    def card(token: str) -> Response:
        def begin() -> dict[str, Any]:
            started = flow.begin_card(parts, token, text_version=_agreed_to(CONSENT_VERSION))
            return {"card": str(started.method_id), "secret": started.client_secret}

        return _answered(gate, token, begin)

    @door.get("/pay/<token>/recurring")
    def agreement(token: str) -> Response:
        return _answered(gate, token, lambda: _recurring(recurring(parts, token)))

    @door.post("/pay/<token>/wallets")
    def wallet(token: str) -> Response:
        def begin() -> dict[str, Any]:
            started = flow.begin_wallet(parts, token, text_version=_agreed_to(f"{CONSENT_VERSION}-paypal"))
            return {
                "card": str(started.method_id),
                "approve": started.approve_url,
                "secret": started.client_secret,
            }

        return _answered(gate, token, begin)

    @door.post("/pay/<token>/accounts")
    def account(token: str) -> Response:
        def begin() -> dict[str, Any]:
            days = _body().get("days")
            # To Python, true is the number 1.
            days = days if type(days) is int else -1
            version = _agreed_to(f"{CONSENT_VERSION}-sepa-{days}d")
            started = flow.begin_account(parts, token, text_version=version, days=days)
            return {"card": str(started.method_id), "secret": started.client_secret}

        return _answered(gate, token, begin)

    @door.post("/pay/<token>/cards/<uuid:method_id>")
    def card_done(token: str, method_id: UUID) -> Response:
        def finish() -> dict[str, Any]:
            flow.finish_card(parts, token, method_id)
            return {"status": "saved"}

        return _answered(gate, token, finish)


def _agreed_to(version: str) -> str:
    """The consent text that the customer has agreed to, with its language. Raises `Refused` (`consent_missing`)."""
    if _body().get("agreed") is not True:
        raise Refused(Fault("agreed", "consent_missing", "the customer agrees first"))
    return f"{version}-{visitors_texts().language}"


def _answered(gate: Gate, token: str, act: Callable[[], dict[str, Any]]) -> Response:
    """JSON for the page's script; what is refused carries its sentence in the visitor's language."""
    try:
        gate.enter(token)
        if request.method == "POST":
            _require_own_script()
        return jsonify(act())
    except BROKEN as error:
        code, status = seen(error)
        return refused(code, status)


def refused(code: str, status: int) -> Response:
    """A refusal by its code, with the sentence that the page shows."""
    known = "not_tried" if code.startswith("provider_") else code.removeprefix("link_")
    response = jsonify(error={"code": code, "message": visitors_texts().message(known, number="", seller="")})
    response.status_code = status
    return response


def log_fault(event: str, error: Exception) -> None:
    """Tell of what nobody foresaw, without the address: left to it, the framework logs that, and with it the link."""
    trace = "".join(traceback.format_tb(error.__traceback__))[-4000:]
    _log.error(event, error=type(error).__name__, trace=trace)


def seen(error: Exception) -> tuple[str, int]:
    """Code and status of what went wrong. Nothing of the error's own text leaves."""
    if isinstance(error, Refused):
        return error.code, _STATUS.get(error.code, 409)
    if isinstance(error, DBAPIError | PoolTimeout):
        _log.error("page_without_database", error=type(error).__name__)
        return "unavailable", 503
    _log.warning("page_without_provider", error=type(error).__name__)
    return "provider_unavailable", 503


def _require_own_script() -> None:
    """JSON, small, and from this very page: a form or another site can't send that."""
    if request.mimetype != "application/json" or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise Refused(Fault("request", "not_from_this_page", "use the page itself"))
    if (request.content_length or 0) > _BODY_LIMIT:
        raise _too_large()


def _body() -> dict[str, Any]:
    # A body that comes in chunks has no length beforehand: it is cut one byte behind what is allowed.
    request.max_content_length = _BODY_LIMIT + 1
    if len(request.get_data()) > _BODY_LIMIT:
        raise _too_large()
    try:
        given = request.get_json(silent=True)
    except RecursionError:
        # Brackets in brackets, deeper than the reader goes: as little an object as any other nonsense.
        given = None
    return given if isinstance(given, dict) else {}


def _newest() -> UUID | None:
    """The newest open invoice that was on the page. Raises `Refused` (`nothing_owed`) where it names nothing."""
    given = _body().get("newest")
    try:
        return None if given is None else UUID(str(given))
    except ValueError:
        raise Refused(Fault("newest", "nothing_owed", "open the page anew")) from None


def _too_large() -> Refused:
    return Refused(Fault("body", "body_too_large", f"send at most {_BODY_LIMIT} bytes"))


def _tried(tried: Tried) -> dict[str, Any]:
    told = visitors_texts().message("not_tried") if tried.status is Paying.NOT_TRIED else None
    return {"status": tried.status, "attempt": str(tried.payment_id), "secret": tried.client_secret, "message": told}


def _state(shown: Shown) -> dict[str, Any]:
    return {"message": shown.message, "open": sum(bill.state == "open" for bill in shown.bills)}


def _recurring(found: Recurring | None) -> dict[str, Any]:
    if found is None:
        return {}
    start = format_instant(found.starts_at)
    return {"amount": found.amount_minor, "unit": found.unit, "count": found.count, "start": start}
