"""The redactor: takes secrets and personal values out of whatever is logged or kept as an error's text.

Two nets: by the name beside a value, and by the shape of the value itself. Shapes know nothing of names of people, so
personal values are never put into a message in the first place; this is the last line, not the first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.privacy.scan import find_card_numbers, find_secrets

REDACTED = "[redacted]"
_DEEPEST = 8
_MOST_ITEMS = 200
_PLAIN = (bool, int, float, type(None), UUID, datetime, date, time, timedelta, Decimal)

_NAMES = re.compile(
    r"(?:^|[_.\- ])(?:"
    r"(?:ssl|pg)?password|passwd|pwd|secret|secrets|authorization|cookie|set_cookie|signature|credential|credentials|dsn"
    r"|api[_-]?key|secret_key|private_key|data_key|master_key|access_token|refresh_token|token"
    r"|e?_?mail|phone|address|street|postal_code|postcode|zip|iban|card_number|cvc|cvv|pan|holder"
    r"|first_name|last_name|full_name|legal_name|birth_?date|birthday|tax_id|vat_id|personal|parties"
    r")(?:$|[_.\- ])",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_EMAIL = re.compile(r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")


def redact_text(text: str) -> str:
    """The text with every secret, card number and e-mail address replaced by `[redacted]`."""
    text = _without(text, [(hit.start, hit.end) for hit in find_secrets(text) + find_card_numbers(text)])
    if "@" in text:
        # After the passwords of addresses, so that their hosts, which look like the end of an e-mail, stay.
        text = _without(text, [found.span() for found in _EMAIL.finditer(text)])
    return text


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    if not spans:
        return text
    parts = []
    done = 0
    for start, end in sorted(spans):
        if start >= done:
            parts += [text[done:start], REDACTED]
        done = max(done, end)
    parts.append(text[done:])
    return "".join(parts)


def redact(value: Any, *, name: str = "", depth: int = 0) -> Any:
    """A copy of `value` that may be logged. Numbers, ids and instants stay, also under a telling name.

    Unknown objects become their redacted `repr`. Nothing deeper than 8 levels is shown.
    """
    if isinstance(value, _PLAIN) and not (isinstance(value, int) and _long_number(value)):
        return value
    if name and _NAMES.search(_CAMEL.sub("_", name)):
        return REDACTED
    if isinstance(value, str):
        return redact_text(value)
    if depth >= _DEEPEST:
        return "[too deep]"
    if isinstance(value, Mapping):
        pairs = list(value.items())[:_MOST_ITEMS]
        return {redact_text(str(key)): redact(item, name=str(key), depth=depth + 1) for key, item in pairs}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, name=name, depth=depth + 1) for item in list(value)[:_MOST_ITEMS]]
    return redact_text(repr(value))


def redact_error(error: BaseException, *, limit: int = 500) -> str:
    """One line about a failure that may be stored: its type and its redacted, shortened message.

    Of several that were raised together, what they are of and the line of each.
    """
    if isinstance(error, BaseExceptionGroup):
        line = f"{redact_text(error.message)}: " + "; ".join(
            redact_error(each, limit=limit) for each in error.exceptions
        )
    else:
        message = redact_text(str(error)).strip()
        line = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _long_number(value: int) -> bool:
    """Whether a number could be a card's: such a one is looked at as text."""
    return value >= 10**11 and bool(find_card_numbers(str(value)))
