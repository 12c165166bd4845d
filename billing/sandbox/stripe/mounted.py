"""The API without HTTP, for a stand-in mounted in process: the same routes and gate, no web framework between."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from billing.sandbox.stripe import gate
from billing.sandbox.stripe.passing import Asked
from billing.sandbox.stripe.routes import ROUTES
from billing.sandbox.stripe.standin import StandIn

_BY_SHAPE: dict[tuple[str, int], list[tuple[tuple[str, ...], gate.Route]]] = {}
for _route in sorted(ROUTES, key=lambda each: each.path.count("<")):
    _parts = tuple(_route.path.split("/"))
    _BY_SHAPE.setdefault((_route.method, len(_parts)), []).append((_parts, _route))


def ask(
    stand_in: StandIn, method: str, url: str, headers: Mapping[str, str], body: str | bytes | None
) -> tuple[bytes, int, dict[str, str]] | None:
    """Body, status and headers of the answer; None where no route of the API serves this. Raises `NoAnswer`."""
    address = urlsplit(url)
    found = _find(method, address.path)
    if found is None:
        return None
    route, args = found
    lower = {name.lower(): value for name, value in headers.items()}
    raw = address.query if method != "POST" else body.decode() if isinstance(body, bytes) else body or ""
    asked = Asked(method, address.path, raw, lambda name: lower.get(name.lower()), args, gone=None)
    answer = gate.answer(stand_in, route, asked)
    return (answer.text + "\n").encode(), answer.status, {"Content-Type": "application/json", **answer.headers}


def _find(method: str, path: str) -> tuple[gate.Route, dict[str, str]] | None:
    """The route, with what its path names. Words go before names: `/search` is no id."""
    given = path.split("/")
    for parts, route in _BY_SHAPE.get((method, len(given)), ()):
        if all(part == value or (part[:1] == "<" and value) for part, value in zip(parts, given, strict=True)):
            names = zip(parts, given, strict=True)
            return route, {part[1:-1]: unquote(value) for part, value in names if part[:1] == "<"}
    return None
