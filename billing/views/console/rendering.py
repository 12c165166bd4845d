"""How facts are written on a page: instants in UTC, amounts with their currency, states in words, and the frame."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, g, make_response, render_template, request
from markupsafe import Markup, escape

from billing.kernel.clock import format_instant
from billing.kernel.money import EXPONENTS, format_minor
from billing.queries.operations.paging import Facts
from billing.rules.method_name import method_name

ASSETS = Path(__file__).parent / "assets"
KINDS = {"console.css": "text/css", "htmx.min.js": "text/javascript"}
_VERSIONS = {name: hashlib.sha256((ASSETS / name).read_bytes()).hexdigest()[:12] for name in KINDS}

_TONES = {
    "good": "paid active delivered succeeded processed on resolved approved done refunded won",
    "wait": "open draft waiting processing requires_action trialing prepared sent received pending parked running "
    "paused needs_response under_review incomplete",
    "bad": "past_due unpaid uncollectible declined unknown dead failed lost off expired refused incomplete_expired "
    "unclear charged_back",
}
_TONE_OF = {state: tone for tone, states in _TONES.items() for state in states.split()}


def page(template: str, status: int = 200, /, **values: Any) -> Response:
    """A page of the console, with whoever looks at it."""
    visit = g.get("console_visit")
    return make_response(
        render_template(f"console/{template}", visit=visit, versions=_VERSIONS, place=request.path, **values), status
    )


def instant(value: datetime | None) -> Markup:
    """To the second, with its zone: 2026-01-31 09:00:00 UTC."""
    if value is None:
        return Markup("–")
    iso = format_instant(value)
    shown = iso[:19].replace("T", " ")
    return Markup('<time datetime="{}">{} <abbr title="Coordinated Universal Time">UTC</abbr></time>').format(
        iso, shown
    )


def amount(row: Facts, column: str = "amount_minor") -> str:
    """An amount with its currency; a dash where there is none."""
    value, currency = row.get(column), row.get("currency")
    if value is None:
        return "–"
    return money(int(value), str(currency))


def money(minor: int, currency: str) -> str:
    """12,345.60 EUR."""
    if currency not in EXPONENTS:
        return f"{minor} {currency.upper()}"
    number, _, code = format_minor(minor, currency).partition(" ")
    whole, point, rest = number.partition(".")
    return f"{int(whole):,}{point}{rest} {code}" if whole != "-0" else f"{number} {code}"


def words(value: Any) -> str:
    """A state or kind as a person says it: invoice_not_charged → invoice not charged."""
    return str(value if value is not None else "–").replace("_", " ")


def method(row: Facts) -> str:
    """The payment method of a row, as a person knows it."""
    kind = row.get("method_kind") or row.get("kind")
    return method_name(kind=str(kind), brand=row.get("brand"), last4=row.get("last4"), wallet=row.get("wallet"))


def badge(state: str | None) -> Markup:
    """A state, coloured by what it means; the word says it too."""
    if state is None:
        return Markup("–")
    return Markup('<span class="badge {}">{}</span>').format(_TONE_OF.get(state, "plain"), words(state))


def age(seconds: float | None) -> str:
    """A span as a person says it: 45 s, 12 min, 3 h, 5 days."""
    if seconds is None:
        return "never"
    for size, name, most in ((1, "s", 90), (60, "min", 5400), (3600, "h", 172_800)):
        if seconds < most:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds / 86_400:.0f} days"


def value(given: Any) -> Markup | str:
    """Anything in one cell."""
    if given is None or given == "":
        return "–"
    if isinstance(given, bool):
        return "yes" if given else "no"
    if isinstance(given, datetime):
        return instant(given)
    if isinstance(given, date):
        return given.isoformat()
    if isinstance(given, Decimal):
        return format(given, "f")
    if isinstance(given, UUID):
        return Markup("<code>{}</code>").format(given)
    if isinstance(given, dict | list):
        text = ", ".join(map(str, given)) if _plain(given) else json.dumps(given, default=str, ensure_ascii=False)
        return text or "–"
    return escape(given)


def with_query(**changed: Any) -> str:
    """This page's address with other parameters; None takes one away."""
    kept = {name: values for name, values in request.args.lists() if name != "poll"}
    kept |= {name: [str(given)] for name, given in changed.items()}
    kept = {name: values for name, values in kept.items() if changed.get(name, "") is not None}
    return f"{request.path}?{urlencode(kept, doseq=True)}" if kept else request.path


FILTERS: dict[str, Callable[..., Any]] = {
    "instant": instant, "amount": amount, "money": money, "words": words, "badge": badge, "method": method,
    "age": age, "value": value,
}  # fmt: skip


def _plain(given: Any) -> bool:
    return isinstance(given, list) and not any(isinstance(each, dict | list) for each in given)
