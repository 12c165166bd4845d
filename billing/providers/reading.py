"""Fields of a provider's JSON, read with care: what is not of the expected shape is `Unreadable`, without its value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Raw = Mapping[str, Any]

_CODE = re.compile(r"[a-z0-9_]{1,64}")


class Unreadable(ValueError):
    """An answer in a shape that the provider's API does not have. Its text names the field, never a value."""


def text(raw: Raw, name: str) -> str:
    """A non-empty string field. Raises `Unreadable`."""
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(name)
    return value


def whole(raw: Raw, name: str) -> int:
    """An integer field. Raises `Unreadable`."""
    value = raw.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unreadable(name)
    return value


def inner(raw: Raw, name: str) -> Raw:
    """An object field; empty where the provider gives null or leaves it out."""
    value = raw.get(name)
    return value if isinstance(value, Mapping) else {}


def same(raw: Raw, name: str, asked_for: str) -> Raw:
    """The object that was asked for by its id. Raises `Unreadable` where it is another one."""
    if raw.get(name) != asked_for:
        raise Unreadable(name)
    return raw


def optional(raw: Raw, name: str) -> str | None:
    """A string field, or None where it is null, empty or missing."""
    value = raw.get(name)
    return value if isinstance(value, str) and value else None


def code(raw: Raw, *names: str) -> str | None:
    """The first of these fields that holds a machine code; free text is never taken for one."""
    for name in names:
        value = raw.get(name)
        if isinstance(value, str) and _CODE.fullmatch(value):
            return value
    return None
