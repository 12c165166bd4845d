"""What a host hands over is of the types that are asked for, or refused by its field: not every host checks types.

One rule for every method, read off its annotations. What a value may be beyond its type, the validators say.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache, wraps
from types import NoneType, UnionType
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from billing.kernel.errors import Fault, Refused
from billing.validators.coupon import NewCoupon
from billing.validators.payment_method import Consent
from billing.validators.price import NewPrice
from billing.validators.subscription import NewItem, NewSubscription
from billing.validators.usage import NewUsage

P = ParamSpec("P")
R = TypeVar("R")
_CALLED: Mapping[type, Mapping[str, str]] = {
    Consent: {"text_version": "consent_text_version", "given_at": "consent_at", "channel": "consent_channel"},
    NewCoupon: {"amount_minor": "amount"},
    NewItem: {"price_code": "price"},
    NewPrice: {"product_code": "product", "interval_unit": "interval"},
    NewSubscription: {"coupon_code": "coupon"},
    NewUsage: {"price_code": "price", "record_id": "id", "used_at": "timestamp"},
}
"""Fields that validators call otherwise than the inputs do."""
_FLAT = frozenset({"new", "change", "consent", "personal"})
"""What is in these is named without them."""
_MENDS: Mapping[type, tuple[str, str]] = {
    str: ("wrong_type", "give a text"),
    int: ("out_of_range", "give a whole number, such as 3"),
    bool: ("wrong_type", "give True or False"),
    Decimal: ("not_a_number", 'give a decimal number, such as Decimal("19.5")'),
    UUID: ("wrong_type", "give the id as a uuid.UUID"),
    datetime: ("wrong_type", "give a datetime with an offset"),
}


def typed(method: Callable[P, R]) -> Callable[P, R]:
    """The method, which looks at what it is given before it does anything. Raises `Refused` with every fault.

    `missing` for None where something is needed, `out_of_range` for what is no whole number, `not_a_number`,
    `time_without_offset`, `wrong_type`.
    """
    asked = inspect.signature(method)

    @wraps(method)
    def checked(*given: P.args, **named: P.kwargs) -> R:
        bound, hints = asked.bind(*given, **named), _hints(method)
        faults = [
            fault
            for name, value in bound.arguments.items()
            if name in hints
            for fault in _faults("" if name in _FLAT else name, value, hints[name], called=name)
        ]
        if faults:
            raise Refused(faults)
        return method(*given, **named)

    return checked


@lru_cache
def _hints(of: Any) -> Mapping[str, Any]:
    """By name, also of what inputs are made of."""
    return get_type_hints(of)


def _faults(field: str, value: object, hint: Any, *, called: str) -> Iterator[Fault]:
    """`field`: where it is; `called`: what it is called there, should it be all that was handed over."""
    wanted = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    some = [each for each in wanted if each is not NoneType]
    if value is None:
        if len(some) == len(wanted):
            yield Fault(field or called, "missing", "give it; it is needed")
    elif len(some) > 1:
        if not isinstance(value, tuple(get_origin(each) or each for each in some)):
            yield Fault(field or called, "wrong_type", f"give {' or '.join(_name(each) for each in some)}")
    else:
        yield from _of_one(field, value, some[0], called=called)


def _of_one(field: str, value: object, hint: Any, *, called: str) -> Iterator[Fault]:
    kind = get_origin(hint) or hint
    if kind in (tuple, list, Sequence):
        yield from _of_many(field or called, value, get_args(hint)[0])
    elif kind is Mapping:
        yield from _of_mapping(field or called, value, *get_args(hint))
    elif kind in _MENDS:
        yield from _of_plain(field or called, value, kind)
    elif kind is not Any and not issubclass(kind, Enum):  # a choice may be spelled (`acting.chosen`)
        if not isinstance(value, kind):
            yield Fault(field or called, "wrong_type", f"give {_name(kind)}")
        elif is_dataclass(kind):
            yield from _of_fields(field, value, hint)


def _of_plain(field: str, value: object, kind: type) -> Iterator[Fault]:
    # True is no number, though Python says so.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        yield Fault(field, *_MENDS[kind])
    elif isinstance(value, datetime) and value.utcoffset() is None:
        yield Fault(field, "time_without_offset", "give a time with an offset")


def _of_many(field: str, value: object, hint: Any) -> Iterator[Fault]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        yield Fault(field, "wrong_type", f"give a list of {_name(hint)}")
        return
    inner = "records" if hint is NewUsage else field
    for place, each in enumerate(value, start=1):
        yield from _faults(f"{inner}.{place}", each, hint, called=inner)


def _of_mapping(field: str, value: object, key: Any, hint: Any) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield Fault(field, "wrong_type", "give a mapping, such as {}")
        return
    for name, each in value.items():
        yield from _faults(f"{field}.{name}", name, key, called=field)
        yield from _faults(f"{field}.{name}", each, hint, called=field)


def _of_fields(field: str, value: object, kind: type) -> Iterator[Fault]:
    hints, called = _hints(kind), _CALLED.get(kind, {})
    for each in fields(kind):
        name = called.get(each.name, each.name)
        inner = "" if each.name in _FLAT else f"{field}.{name}" if field else name
        yield from _faults(inner, getattr(value, each.name), hints[each.name], called=name)


def _name(hint: Any) -> str:
    kind = get_origin(hint) or hint
    module = "billing." if kind.__module__.startswith("billing.") else f"{kind.__module__}."
    return f"{'' if module == 'builtins.' else module}{kind.__qualname__}"
