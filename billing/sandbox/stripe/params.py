"""Parameters: Stripe's form encoding decoded, and checked against what an operation knows.

`a[b][c]=1` nests, `a[]=1` and `a[0]=1` are lists; values are text until a `Field` says otherwise. What an operation
does not know is refused (`parameter_unknown`), before anything is done and without using the idempotency key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from billing.sandbox.stripe.errors import ApiError, invalid
from billing.sandbox.stripe.values import Json

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
_PART = re.compile(r"\[([^\[\]]*)\]")
_MAX_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter. `kind`: text, int, bool, list, metadata, any, hash (with `inside`), created (number or range),
    gone."""

    kind: str = "text"
    required: bool = False
    choices: frozenset[str] | None = None
    inside: Mapping[str, Field] | None = None
    clears: bool = False
    """Whether an empty text may stand in the place of a hash, and clears it."""


Spec = Mapping[str, Field]

TEXT, INT, BOOL, LIST, METADATA, ANY = (Field(kind) for kind in ("text", "int", "bool", "list", "metadata", "any"))
GONE = Field("gone")
"""A parameter that this version of the API no longer takes."""
CREATED = Field("created")
PAGE: Spec = {"limit": INT, "starting_after": TEXT, "ending_before": TEXT, "expand": LIST}


def required(kind: str = "text") -> Field:
    """A parameter that must be given, and not be empty."""
    return Field(kind, required=True)


def choice(*names: str) -> Field:
    """One of these words."""
    return Field("text", choices=frozenset(names))


def hash_of(**inside: Field) -> Field:
    """Named parameters inside one."""
    return Field("hash", inside=inside)


def decode(raw: str) -> Json:
    """The nested form of a query string or form body. Later values replace earlier ones."""
    decoded: Json = {}
    for name, value in parse_qsl(raw, keep_blank_values=True):
        found = _NAME.match(name)
        if found is None:
            raise invalid(f"Invalid parameter name: {name}", code="parameter_unknown", param=name)
        _put(decoded, [found[1], *_PART.findall(found[2])], value)
    return {name: _listed(value, name) for name, value in decoded.items()}


def _put(into: Json, path: list[str], value: str) -> None:
    if len(path) > _MAX_DEPTH:
        raise invalid("Too deeply nested.", param=path[0])
    for part in path[:-1]:
        inner = into.setdefault(part, {})
        if not isinstance(inner, dict):
            raise invalid(f"{path[0]} is given both as a value and as a hash.", param=path[0])
        into = inner
    last = path[-1] or str(len(into))
    into[last] = value


def _listed(value: Any, within: str) -> Any:
    # Metadata is never a list: its names are the caller's, who may count.
    if not isinstance(value, dict) or within == "metadata":
        return value
    if value and all(name.isdecimal() for name in value):
        return [_listed(value[name], within) for name in sorted(value, key=int)]
    return {name: _listed(inner, name) for name, inner in value.items()}


def check(given: Json, spec: Spec, *, within: str = "") -> Json:
    """The parameters with their types, or Stripe's refusal of the first that is wrong."""
    for name in given:
        if name not in spec:
            raise _wrong("Received unknown parameter: " + _full(within, name), "parameter_unknown", _full(within, name))
    for name, field in spec.items():
        if field.required and given.get(name) in (None, ""):
            raise _wrong(f"Missing required param: {_full(within, name)}.", "parameter_missing", _full(within, name))
    return {name: _typed(value, spec[name], _full(within, name)) for name, value in given.items()}


def _full(within: str, name: str) -> str:
    return f"{within}[{name}]" if within else name


def _typed(value: Any, field: Field, name: str) -> Any:
    match field.kind:
        case "hash" if value == "" and field.clears:
            return value
        case "hash":
            return check(_hash(value, name), field.inside or {}, within=name)
        case "text":
            return _text(value, field.choices, name)
        case "any":
            return value
    return _CHECKS[field.kind](value, name)


def _text(value: Any, choices: frozenset[str] | None, name: str) -> str:
    if not isinstance(value, str):
        raise _wrong(f"Invalid string: {name}", "parameter_invalid_string", name)
    if choices is not None and value not in choices:
        raise _wrong(f"Invalid {name}: must be one of {', '.join(sorted(choices))}", None, name)
    return value


def _boolean(value: Any, name: str) -> bool:
    if value not in ("true", "false"):
        raise _wrong(f"Invalid boolean: {value}", "parameter_invalid_boolean", name)
    return bool(value == "true")


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list) and value != "":
        raise _wrong(f"Invalid array: {name}", "parameter_invalid_array", name)
    return value or []


def _hash(value: Any, name: str) -> Json:
    if not isinstance(value, dict):
        raise _wrong(f"Invalid object: {name}", "parameter_invalid_object", name)
    return value


def _moment(value: Any, name: str) -> int | Json:
    """One second, or a range of them."""
    if isinstance(value, dict):
        return check(value, dict.fromkeys(("gt", "gte", "lt", "lte"), INT), within=name)
    return _integer(value, name)


def _gone(_: Any, name: str) -> None:
    raise _wrong(f"This version of the API takes no {name}.", f"{name}_no_longer_supported", name)


def _integer(value: Any, name: str) -> int:
    if not isinstance(value, str) or re.fullmatch(r"-?\d{1,16}", value, re.ASCII) is None:
        raise _wrong(f"Invalid integer: {value}", "parameter_invalid_integer", name)
    return int(value)


def _metadata(value: Any, name: str) -> dict[str, str]:
    """Stripe's bounds: at most 50 pairs, names up to 40 characters, values up to 500. An empty value removes a name."""
    if value == "":
        return {}
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise _wrong(f"Invalid object: {name}", "parameter_invalid_object", name)
    if len(value) > 50 or any(len(key) > 40 or len(text) > 500 for key, text in value.items()):
        raise _wrong("Metadata holds at most 50 pairs, 40 characters a name, 500 a value.", None, name)
    return value


_CHECKS: Mapping[str, Callable[[Any, str], Any]] = {
    "int": _integer,
    "bool": _boolean,
    "list": _list,
    "metadata": _metadata,
    "created": _moment,
    "gone": _gone,
}


def merged(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Metadata after an update: named pairs replaced, empty ones removed, the others kept."""
    return {name: text for name, text in {**old, **new}.items() if text != ""}


def _wrong(message: str, code: str | None, param: str) -> ApiError:
    return invalid(message, code=code, param=param)
