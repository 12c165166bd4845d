"""One request to the API by method and address, for both ways in: over HTTP, and mounted in process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, unquote, urlsplit

from billing.sandbox.paypal import credentials, gate
from billing.sandbox.paypal.errors import PayPalError, missing, server_error
from billing.sandbox.paypal.routes import ROUTES
from billing.sandbox.stripe.idempotency import Answer
from billing.sandbox.stripe.passing import Asked
from billing.sandbox.stripe.standin import StandIn

_BY_SHAPE: dict[tuple[str, int], list[tuple[tuple[str, ...], gate.Route]]] = {}
for _route in ROUTES:
    _parts = tuple(_route.path.split("/"))
    _BY_SHAPE.setdefault((_route.method, len(_parts)), []).append((_parts, _route))


def serve(
    stand_in: StandIn,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    *,
    gone: Callable[[], bool] | None = None,
) -> Answer:
    """The answer. Raises `NoAnswer` where the caller is to get none."""
    address, lower = urlsplit(url), {name.lower(): value for name, value in headers.items()}
    try:
        if (method, address.path) == ("POST", "/v1/oauth2/token"):
            return Answer.of(200, _token(stand_in, lower, body or b""), {})
    except PayPalError as error:
        return Answer.of(error.status, error.body, error.headers)
    posted = method == "POST"
    raw = (body or b"").decode(errors="replace") if posted else address.query
    asked = Asked(method, address.path, raw, lambda name: lower.get(name.lower()), {}, gone)
    asked = replace(asked, query=address.query if posted else "")
    try:
        route, args = _find(method, address.path)
    except PayPalError as error:
        return gate.turned_away(stand_in, asked, error)
    return gate.answer(stand_in, route, replace(asked, args=args))


def _token(stand_in: StandIn, headers: Mapping[str, str], body: bytes) -> dict[str, object]:
    if stand_in.faults.hit("error_500_before", method="POST", path="/v1/oauth2/token"):
        raise server_error()
    given = dict(parse_qsl(body.decode(errors="replace")))
    return credentials.issue(headers.get("authorization", ""), grant_type=given.get("grant_type", ""))


def _find(method: str, path: str) -> tuple[gate.Route, dict[str, str]]:
    given = path.split("/")
    for parts, route in _BY_SHAPE.get((method, len(given)), ()):
        if all(part == value or (part[:1] == "<" and value) for part, value in zip(parts, given, strict=True)):
            names = zip(parts, given, strict=True)
            return route, {part[1:-1]: unquote(value) for part, value in names if part[:1] == "<"}
    raise missing("path")


def mounted(
    stand_in: StandIn, method: str, url: str, headers: Mapping[str, str], body: bytes | None
) -> tuple[bytes, int, dict[str, str]]:
    """Body, status and headers, in process. Raises `NoAnswer`."""
    answer = serve(stand_in, method, url, headers, body)
    return answer.text.encode(), answer.status, {"Content-Type": "application/json", **answer.headers}
