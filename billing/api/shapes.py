"""The building blocks of requests and answers: exact numbers are strings, amounts are whole minor units."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from billing.kernel.errors import Fault
from billing.validators.checks import Checks


class Shape(BaseModel):
    """What a request or an answer looks like. A field that it doesn't know is a fault, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _exact(value: str) -> Decimal:
    return Decimal(value)


def _plain(value: Decimal) -> str:
    return format(value, "f")


class Broken(ValueError):
    """A field breaks rules of its noun."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__()
        self.faults = faults


def checked(check: Callable[[Checks, str, Any], None]) -> AfterValidator:
    """A noun's rule about one field, applied while a request is read: its faults are told with those of the shape."""

    def kept(value: Any) -> Any:
        checks = Checks()
        check(checks, "", value)
        if checks.faults:
            raise Broken(checks.faults)
        return value

    return AfterValidator(kept)


# Not \d: to pydantic and to Decimal these are the digits of every script, to who reads the document 0 to 9.
_DIGITS = r"^-?[0-9]{1,20}(\.[0-9]{1,12})?$"
NOT_NEGATIVE = r"^[0-9]{1,15}(\.[0-9]{1,12})?$"
CODE, COUNTRY, CURRENCY = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$", "^[A-Z]{2}$", "^[a-z]{3}$"
"""Patterns of texts in requests; `mends` has words for each."""

Exact = Annotated[
    Decimal,
    PlainSerializer(_plain, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _DIGITS, "examples": ["0.25"]}),
]
"""An exact decimal, in answers."""
ExactText = Annotated[
    str, Field(pattern=NOT_NEGATIVE, examples=["0.25"], description="An exact decimal, 0 or more, as a string.")
]
"""An exact decimal, in requests: a JSON number would have been a float somewhere."""

Code = Annotated[str, Field(pattern=CODE, examples=["basic"])]
Country = Annotated[
    str, Field(pattern=COUNTRY, examples=["DE"], description="ISO 3166, two letters."), checked(Checks.country)
]
Currency = Annotated[
    str, Field(pattern=CURRENCY, examples=["eur"], description="ISO 4217, in lower case."), checked(Checks.currency)
]
Timezone = Annotated[str, Field(max_length=100), checked(Checks.timezone)]
Minor = Annotated[int, Field(description="In minor units, such as cents.")]
ChargedBack = Annotated[
    int,
    Field(description="In minor units: owed again by a lost dispute, not decided on nor paid yet."),
]
Version = Annotated[int, Field(ge=1, description="Rises with each change; send it as If-Match.")]


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _of_a_time(value: Any) -> Any:
    # A number would be taken for seconds since 1970, or, from some size on, for thousandths of them: for a wrong time.
    # What is given on for it, nothing, is refused as no time.
    return value if isinstance(value, datetime) or (isinstance(value, str) and _DAY.match(value)) else None


def _of_a_day(value: Any) -> Any:
    # The same; nor is a time a day, in whose zone it ever is one.
    return value if type(value) is date or (isinstance(value, str) and _DAY.fullmatch(value)) else None


_WHOLE = re.compile(r"0|-?[1-9][0-9]*")


def _of_a_whole(value: Any) -> Any:
    # Read from a text an int has many spellings, and in a query "+5" is " 5"; what the document has is the one of JSON.
    return value if isinstance(value, str) and _WHOLE.fullmatch(value) else None


def _of_a_yes_or_no(value: Any) -> Any:
    return value if value in ("true", "false") else None


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC it must be a time of the years 1 to 9999") from None


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_of_a_time),
    AfterValidator(_utc),
    Field(strict=False, examples=["2026-01-31T00:00:00Z"]),
]
"""A moment with its offset; answers are in UTC."""
Day = Annotated[
    date,
    Field(strict=False, ge=date(1900, 1, 1), le=date(2999, 12, 31), examples=["2026-01-31"]),
    BeforeValidator(_of_a_day),
]
"""A day, in requests."""
Id = Annotated[UUID, Field(strict=False)]

YesOrNo = Annotated[bool, Field(strict=False), BeforeValidator(_of_a_yes_or_no)]
"""In a query, whose values are texts."""

Item = TypeVar("Item", bound=Shape)


class Listed(Shape, Generic[Item]):
    """A page of a list. `next` is the `after` of the following page; null on the last one."""

    data: list[Item]
    next: str | None


class Paging(Shape):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=200, strict=False), BeforeValidator(_of_a_whole)] = 50
    after: str | None = Field(default=None, max_length=200, description="The `next` of the page before.")


class Why(Shape):
    """An order that asks for nothing but its reason."""

    reason: str = Field(min_length=1, max_length=500, description="Why; kept in the audit trail. Nothing personal.")


def facts(shape: type[Item], row: Any) -> Item:
    """A row of ours as an answer: only what the shape names."""
    return shape.model_validate({name: row[name] for name in shape.model_fields}, strict=False)
