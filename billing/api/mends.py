"""What to do about each fault that a request's shape can find: our words for pydantic's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from billing.api.shapes import CODE, COUNTRY, CURRENCY, NOT_NEGATIVE

_MINOR_TEXTS = ("unit_amount", "unit", "flat")
"""Amounts in minor units that are strings, since they may be fractions."""
_CODE_MEND = "use up to 100 of A-Z a-z 0-9 . _ : / - and begin with a letter or digit"
PATTERNS: Mapping[str, str] = {
    COUNTRY: "give an upper-case ISO 3166 code of two letters, such as DE",
    CURRENCY: "give a lower-case ISO 4217 code, such as eur",
    CODE: _CODE_MEND,
    NOT_NEGATIVE: 'give an exact number, 0 or more, such as "0.25"',
    "^[12][0-9]{3}-(0[1-9]|1[0-2])$": "give a month, such as 2026-01",
    "^[a-z0-9_]{1,50}$": "use up to 50 of a-z 0-9 _",
    r"^[^\x00]*$": "leave the sign U+0000 out",
    "^[0-9a-f]{64}$": "give a digest as it was shown, of 64 of 0-9 a-f",
    "^[!-~]+$": "use letters, digits and signs of ASCII, without spaces",
}
"""By the pattern that a text doesn't match."""


def _text(error: Any) -> str:
    if not isinstance(error["input"], int | float) or isinstance(error["input"], bool):
        return "give a text"
    if error["loc"][-1] in _MINOR_TEXTS:
        return 'give minor units as a string: "2900" is 29.00'
    return "give it as a string, in quotes"


def _whole(error: Any) -> str:
    if str(error["loc"][-1]).endswith("_minor"):
        return "give whole minor units as a number: 2900 is 29.00"
    return "give a whole number, such as 3"


def _least(error: Any) -> str:
    bound = error["ctx"]["ge"]
    return f"give {bound} or {'later' if isinstance(bound, str) else 'more'}"


def _most(error: Any) -> str:
    bound = error["ctx"]["le"]
    return f"give {bound} or {'earlier' if isinstance(bound, str) else 'less'}"


def _one_of(error: Any) -> str:
    allowed = error["ctx"]["expected"].replace(" or ", ", ").replace(chr(39), "")
    return f"give one of {allowed}{_NULL.get(error['loc'][-1], '')}"


def _pattern(error: Any) -> str:
    return f"{PATTERNS[error['ctx']['pattern']]}{_NULL.get(error['loc'][-1], '')}"


_NULL = {"up_to": "; null in the last tier", "interval": "; null is charged once"}
"""Where null means something that a reader of the refusal may be looking for."""


_TIME = "give a time with its offset, such as 2026-01-31T00:00:00Z"
_DATE = "give a date, such as 2026-01-31"
ID = "give an id, such as 01990c2e-0000-7000-8000-000000000000"
_YES_OR_NO = "give true or false"
_OBJECT = "give an object, with fields of its own"

MENDS: Mapping[str, str | Callable[[Any], str]] = {
    "missing": "give it; it is needed",
    "extra_forbidden": "leave it out; there is no such field",
    "model_type": _OBJECT,
    "dict_type": _OBJECT,
    "list_type": "give a list, also of one",
    "too_short": "give at least {min_length} of them",
    "too_long": "give at most {max_length} of them",
    "string_type": _text,
    "string_unicode": "give a text in UTF-8",
    "string_too_short": "give at least {min_length} character(s)",
    "string_too_long": "give at most {max_length} characters",
    "string_pattern_mismatch": _pattern,
    "int_type": _whole,
    "int_parsing": _whole,
    "int_parsing_size": _whole,
    "int_from_float": _whole,
    "greater_than_equal": _least,
    "less_than_equal": _most,
    "bool_type": _YES_OR_NO,
    "bool_parsing": _YES_OR_NO,
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "datetime_object_invalid": _TIME,
    "timezone_aware": _TIME,
    "uuid_type": ID,
    "uuid_parsing": ID,
    "enum": _one_of,
    "literal_error": _one_of,
    "value_error": "{error}",
}
"""By pydantic's type of the error, with its bounds: all that a shape of ours can raise, which a test holds complete."""


def mend_of(error: Any) -> str:
    """What to do about one of `ValidationError.errors()`. Nothing of what was given is told."""
    mend = MENDS[error["type"]]
    return mend.format(**error.get("ctx", {})) if isinstance(mend, str) else mend(error)
