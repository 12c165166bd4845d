"""PayPal-like ids, amounts and instants."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from urllib.parse import urlencode

from billing.kernel.errors import Refused
from billing.kernel.money import exponent
from billing.sandbox.paypal.errors import invalid, unprocessable
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.values import Json

_LETTERS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_TAKEN = frozenset(
    "AUD BRL CAD CNY CZK DKK EUR HKD HUF ILS JPY MYR MXN TWD NZD NOK PHP PLN GBP SGD SEK CHF THB USD".split()
)
_NO_DECIMALS = frozenset({"HUF", "JPY", "TWD"})


def new_id(length: int = 17) -> str:
    """Letters and digits, as PayPal's transactions have them."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def instant(seconds: int) -> str:
    """ISO 8601, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def second(text: str) -> int:
    """The Unix second of an ISO 8601 instant."""
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        raise invalid("INVALID_PARAMETER_SYNTAX", "Times are ISO 8601.") from None


def money(minor: int, currency: str) -> Json:
    """An amount object of ISO minor units."""
    code = currency.upper()
    digits = 0 if code in _NO_DECIMALS and minor % 10 ** exponent(currency) == 0 else exponent(currency)
    value = Decimal(minor).scaleb(-exponent(currency))
    return {"currency_code": code, "value": f"{value:.{digits}f}"}


def read_money(raw: object, *, limits: bool) -> tuple[int, str]:
    """ISO minor units and lower-case currency. `limits`: refuse what PayPal does not take."""
    if not isinstance(raw, dict) or set(raw) != {"currency_code", "value"}:
        raise invalid("MISSING_REQUIRED_PARAMETER", "An amount has currency_code and value.")
    code, text = raw["currency_code"], raw["value"]
    if not isinstance(code, str) or not isinstance(text, str):
        raise invalid("INVALID_PARAMETER_SYNTAX", "Amounts are text.")
    try:
        digits, value = exponent(code.lower()), Decimal(text)
    except (Refused, InvalidOperation):
        raise invalid("INVALID_CURRENCY_CODE", "This is no currency, or no amount.") from None
    places = -int(value.as_tuple().exponent) if value.is_finite() else digits + 1
    if limits:
        if code not in _TAKEN:
            raise unprocessable("CURRENCY_NOT_SUPPORTED")
        digits_taken = 0 if code in _NO_DECIMALS else 2
        if places > digits_taken:
            raise unprocessable("DECIMALS_NOT_SUPPORTED" if not digits_taken else "DECIMAL_PRECISION")
    if places > digits or value <= 0:
        raise unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE" if value <= 0 else "DECIMAL_PRECISION")
    return int(value.scaleb(digits)), code.lower()


def links(call: Call, path: str, more: Json | None) -> list[Json]:
    """The links of a page: the way to the next one, its place beside what was asked for; none on the last."""
    if more is None:
        return []
    return [{"href": f"https://sandbox{path}?{urlencode({**call.params, **more})}", "rel": "next", "method": "GET"}]
