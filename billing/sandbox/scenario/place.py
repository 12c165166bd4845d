"""Where the reader stands in the file: a node, its path and line, and the list that faults go to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import Reader

from billing.sandbox.scenario.faults import Faulty, ScenarioFault

_TAG = "tag:yaml.org,2002:"
_UNQUOTED = {
    "float": ("float_not_allowed", "no number here is a float"),
    "bool": ("boolean_not_allowed", "YAML reads this as true or false"),
}


@dataclass(slots=True)
class Reading:
    """One file being read: the faults so far, and what was read without one.

    `named` holds by section the entries by name, each with its good fields; a section that isn't there could not be
    read, and nothing is known of its names.
    """

    faults: list[ScenarioFault] = field(default_factory=list)
    seller: dict[str, Any] = field(default_factory=dict)
    named: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """One value in the file. `node` None: it stands nowhere, because a key is missing."""

    reading: Reading
    node: Node | None
    path: str
    line: int

    def fault(self, code: str, message: str) -> Faulty:
        """Note a fault here. The answer may be raised by whoever can't go on without the value."""
        self.reading.faults.append(ScenarioFault(self.path, self.line, code, message))
        return Faulty()

    def at(self, key: str, *, node: Node | None = None, line: int | None = None) -> Place:
        """The place of a key in this mapping."""
        return Place(self.reading, node, f"{self.path}.{key}" if self.path else key, line or self.line)

    @property
    def kind(self) -> str:
        """What YAML takes a scalar for: str, int, float, bool, null, timestamp; else mapping, sequence or other."""
        if isinstance(self.node, ScalarNode):
            return self.node.tag.removeprefix(_TAG) if self.node.tag.startswith(_TAG) else "other"
        return "mapping" if isinstance(self.node, MappingNode) else "sequence"

    @property
    def raw(self) -> str:
        """A scalar exactly as it is written, without its quotes."""
        return str(self.node.value) if isinstance(self.node, ScalarNode) else ""

    @property
    def is_null(self) -> bool:
        return self.kind == "null"

    def wrong_type(self, wanted: str, *, quoted: bool = False) -> Faulty:
        """Note that something else belongs here; `quoted`: that a float or a boolean may do in quotes."""
        if self.kind not in _UNQUOTED:
            return self.fault("wrong_type", f"give {wanted}")
        code, message = _UNQUOTED[self.kind]
        return self.fault(code, f'{message}; put it in quotes: "{self.raw}"' if quoted else f"{message}; give {wanted}")

    def entries(self) -> Iterator[tuple[str, Place]]:
        """The keys of this mapping with their values, but keys that are no names or stand twice. Raises `Faulty`.

        Null is a mapping without keys: what a block says whose body was left empty.
        """
        if self.is_null:
            return
        if not isinstance(self.node, MappingNode):
            raise self.wrong_type("names and values")
        names: set[str] = set()
        for key, value in self.node.value:
            shown = str(key.value) if isinstance(key, ScalarNode) else "?"
            place = self.at(shown, node=key, line=_line(key))
            if not is_name(place):
                place.wrong_type("a name as the key, in quotes", quoted=True)
            elif shown in names:
                place.fault("key_twice", "give each key once")
            else:
                names.add(shown)
                yield shown, self.at(shown, node=value, line=place.line)

    def find(self, key: str) -> Place | None:
        """The value of one key of this mapping, before the others are looked at. Raises `Faulty`."""
        if self.is_null:
            return None
        if not isinstance(self.node, MappingNode):
            raise self.wrong_type("names and values")
        found = (pair for pair in self.node.value if isinstance(pair[0], ScalarNode) and pair[0].value == key)
        return next((self.at(key, node=value, line=_line(name)) for name, value in found), None)

    def elements(self) -> list[Place]:
        """The elements of this list. Raises `Faulty`."""
        if not isinstance(self.node, SequenceNode):
            raise self.wrong_type("a list")
        return [
            Place(self.reading, child, f"{self.path}[{number}]", _line(child))
            for number, child in enumerate(self.node.value)
        ]


def is_name(place: Place) -> bool:
    """Whether a scalar may stand for a name: text, a whole number in plain digits, a date. Not 012, 0x1f or 1_000."""
    if place.kind == "int":
        return is_plain_whole(place.raw)
    return place.kind in {"str", "timestamp"}


def is_plain_whole(raw: str) -> bool:
    """Whether a number is written as people read it; YAML also has octal, hexadecimal, underscores and 1:30."""
    digits = raw.removeprefix("-")
    return digits.isascii() and digits.isdigit() and (digits == "0" or not digits.startswith("0"))


def compose(text: str, reading: Reading) -> Place:
    """The whole file as one place. What is no YAML is one fault, and `Faulty`. Nothing is ever constructed but text."""
    if unreadable := Reader.NON_PRINTABLE.search(text):
        sign = f"U+{ord(unreadable[0]):04X}"
        raise _not_yaml(reading, text.count("\n", 0, unreadable.start()) + 1, f"remove the character {sign}")
    try:
        # libyaml would be faster, and crash the whole program where a file is nested too deep.
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        last = len(text.rstrip().splitlines())
        line = min(mark.line + 1, last) if mark else 1
        raise _not_yaml(reading, line, error.problem or "mend the syntax") from None
    except RecursionError:
        raise _not_yaml(reading, 1, "lists and names stand too deep in one another") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise _not_yaml(reading, 1, f"this is no YAML text ({type(error).__name__})") from None
    if not isinstance(root, MappingNode):
        message = "give the sections scenario, seller, prices, customers, timeline and until"
        raise Place(reading, root, "file", 1).fault("not_a_mapping", message)
    return Place(reading, root, "", 1)


def _not_yaml(reading: Reading, line: int, message: str) -> Faulty:
    return Place(reading, None, "file", line).fault("not_yaml", message)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
