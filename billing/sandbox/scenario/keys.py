"""Tables of keys: which keys a part of the file may have, how each is read, and what holds where it is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from billing.sandbox.scenario.faults import Faulty
from billing.sandbox.scenario.place import Place
from billing.sandbox.scenario.scalars import check_name

Value = TypeVar("Value")
_REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Key:
    """How one key is read. Null counts as left out where there is a default, unless `null_is_read`.

    `into` is the name of the field that it becomes, where that differs from the key.
    """

    read: Callable[[Place], Any]
    default: Any = _REQUIRED
    into: str | None = None
    null_is_read: bool = False


@dataclass(slots=True)
class Fields:
    """What was read of one mapping: good values by field name; a faulty one is absent. `given` are places by key."""

    place: Place
    values: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Place] = field(default_factory=dict)

    def spot(self, key: str) -> Place:
        """Where the key stands, or would stand."""
        return self.given.get(key) or self.place.at(key)

    def has(self, *names: str) -> bool:
        """Whether all these values were read without a fault."""
        return all(name in self.values for name in names)


def read_keys(place: Place, keys: Mapping[str, Key], *, beside: tuple[str, ...] = ()) -> Fields:
    """Every key by its table; unknown and missing ones are faults. `beside` are keys read elsewhere.

    Raises `Faulty` only if this is no mapping.
    """
    fields = Fields(place)
    for name, child in place.entries():
        if name not in keys and name not in beside:
            child.fault("unknown_key", f"give only {', '.join((*beside, *keys))}")
            continue
        key = keys.get(name)
        if key is None or (child.is_null and key.default is not _REQUIRED and not key.null_is_read):
            continue
        fields.given[name] = child
        with suppress(Faulty):
            fields.values[key.into or name] = key.read(child)
    for name, key in keys.items():
        if name in fields.given:
            continue
        if key.default is _REQUIRED:
            place.at(name).fault("missing", f"give {name}")
        else:
            fields.values[key.into or name] = key.default
    return fields


def read_whole(place: Place, keys: Mapping[str, Key]) -> Fields:
    """Every key by its table. Raises `Faulty` where any is faulty, after all are noted."""
    before = len(place.reading.faults)
    fields = read_keys(place, keys)
    if len(place.reading.faults) > before:
        raise Faulty
    return fields


def read_named(place: Place, section: str, read_entry: Callable[[Place], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Entries by name. A faulty entry still defines its name, so that what refers to it isn't a fault as well.

    Raises `Faulty` if this is no mapping; then nothing is known of the section's names.
    """
    if place.kind not in {"mapping", "null"}:
        raise place.wrong_type("names, each with its keys")
    named = place.reading.named.setdefault(section, {})
    for name, child in place.entries():
        check_name(child, name)
        named[name] = {}
        with suppress(Faulty):
            named[name] = read_entry(child)
    return named


def read_each(places: Iterable[Place], read: Callable[[Place], Value]) -> list[Value]:
    """The elements that can be read; what is wrong with the others is noted."""
    good = []
    for place in places:
        with suppress(Faulty):
            good.append(read(place))
    return good


def read_list(place: Place, read: Callable[[Place], Value]) -> list[Value]:
    """Each element by one reader. Raises `Faulty` where any is faulty, after all are noted."""
    elements = place.elements()
    good = read_each(elements, read)
    if len(good) < len(elements):
        raise Faulty
    return good
