"""What the sandbox's own doors are sent, read field by field: nothing has begun where one is not understood."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from billing.sandbox.stripe.errors import invalid
from billing.sandbox.stripe.values import Json

MOST = 10**10
"""No number that a door takes is larger: what is done with it stays within what clocks and the store can hold."""


def body_of(raw: bytes) -> Any:
    """The JSON of a body; an empty object where there is none."""
    if not raw:
        return {}
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise invalid("The body is not JSON.") from error


def object_of(wish: Any) -> Json:
    """What was sent, if it is a JSON object."""
    if not isinstance(wish, dict):
        raise invalid("This takes a JSON object.")
    return wish


def text(wish: Json, name: str) -> str:
    """A text that shows; an empty one where it is not named, or null, as for the others."""
    return str(_read(wish, name, "", is_text, "is a text"))


def whole(wish: Json, name: str, *, least: int = 0, most: int = MOST) -> int | None:
    """A whole number, if one is named."""
    means = f"is a whole number from {least} to {most}"
    found: int | None = _read(wish, name, None, lambda value: is_whole(value) and least <= value <= most, means)
    return found


def number(wish: Json, name: str, *, most: float) -> float | None:
    """A number from 0, if one is named."""
    means = f"is a number from 0 to {most}"
    found: float | None = _read(wish, name, None, lambda value: is_number(value) and value <= most, means)
    return found


def truth(wish: Json, name: str, *, default: bool) -> bool:
    """True or false; the default where neither is named."""
    return bool(_read(wish, name, default, lambda value: isinstance(value, bool), "is true or false"))


def one_of(wish: Json, name: str, *choices: str) -> str:
    """One of the choices, which has to be named."""
    found = wish.get(name)
    if found not in choices:
        raise invalid(f"{name} is {' or '.join(choices)}.", param=name)
    return str(found)


def is_text(value: Any) -> bool:
    """Whether it is a text of signs that show: no half of a sign, which no store takes."""
    return isinstance(value, str) and value.isprintable()


def is_whole(value: Any) -> bool:
    """Whether it is a whole number from 0 to `MOST`."""
    return isinstance(value, int) and is_number(value)


def is_number(value: Any) -> bool:
    """The same, with fractions too."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST


def _read(wish: Json, name: str, default: Any, fits: Callable[[Any], bool], means: str) -> Any:
    value = wish.get(name)
    if value is None:
        return default
    if not fits(value):
        raise invalid(f"{name} {means}.", param=name)
    return value
