"""YAML into rows: each section a list, each entry flattened to dotted names, each value with its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from billing.flows.intake_input import LineFault
from billing.ops.import_rows import Cell, Kind, Row

SECTIONS = ("sellers", "tax_rates", "products", "prices", "coupons", "customers", "subscriptions")
_DEEPEST = 5
_NESTED = 100
"""Levels that are still read, to say of each value that is too deep where it stands."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KINDS = {
    "tag:yaml.org,2002:int": Kind.INT,
    "tag:yaml.org,2002:float": Kind.FLOAT,
    "tag:yaml.org,2002:bool": Kind.BOOL,
    "tag:yaml.org,2002:null": Kind.NULL,
}


@dataclass(slots=True)
class _Reading:
    faults: list[LineFault]
    seen: set[int] = field(default_factory=set)

    def fault(self, node: Node, name: str, code: str, mend: str) -> None:
        self.faults.append(LineFault(_line(node), name or "entry", code, mend))


def read_yaml(text: str, faults: list[LineFault]) -> dict[str, list[Row]]:
    """Rows by section. What can't be read goes to `faults`. Nothing in the file is ever constructed but text."""
    try:
        deep = _too_deep(text)
        root = None if deep else yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        faults.append(LineFault(mark.line + 1 if mark else 1, "file", "not_yaml", error.problem or "mend the syntax"))
        return {}
    except (yaml.YAMLError, RecursionError) as error:
        faults.append(LineFault(1, "file", "not_yaml", f"this is no YAML text ({type(error).__name__})"))
        return {}
    if deep:
        faults.append(LineFault(deep, "file", "too_deep", "write the values out, without lists within lists"))
        return {}
    reading = _Reading(faults)
    if not isinstance(root, MappingNode):
        faults.append(LineFault(1, "file", "not_a_mapping", f"give the sections {', '.join(SECTIONS)}"))
        return {}
    rows: dict[str, list[Row]] = {}
    for name, node in _entries(reading, root, ""):
        if name not in SECTIONS:
            reading.fault(node, name, "unknown_section", f"sections are {', '.join(SECTIONS)}")
        elif not isinstance(node, SequenceNode):
            if not _is_null(node):
                reading.fault(node, name, "not_a_list", "begin each entry with a dash")
        else:
            rows[name] = [row for entry in node.value if (row := _row(reading, entry, name)) is not None]
    return rows


def _too_deep(text: str) -> int:
    """The line of what is nested deeper than any file of ours, or 0: composing it would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _NESTED:
            return event.start_mark.line + 1 if event.start_mark else 1
    return 0


def _row(reading: _Reading, node: Node, section: str) -> Row | None:
    if not isinstance(node, MappingNode):
        reading.fault(node, section, "not_a_mapping", "give each entry as names and values")
        return None
    return Row(_line(node), dict(_cells(reading, node, "", 0)), reading.faults)


def _cells(reading: _Reading, node: Node, inside: str, depth: int) -> Iterator[tuple[str, Cell]]:
    if isinstance(node, ScalarNode):
        yield inside, Cell(node.value, _line(node), _KINDS.get(node.tag, Kind.TEXT))
        return
    if id(node) in reading.seen or depth == _DEEPEST:
        code = "alias_not_allowed" if id(node) in reading.seen else "too_deep"
        reading.fault(node, inside, code, "write the values out, here")
        return
    reading.seen.add(id(node))
    if isinstance(node, MappingNode):
        children = list(_entries(reading, node, inside))
    else:
        children = [(f"{inside}.{place}", child) for place, child in enumerate(node.value, start=1)]
    if not children and inside:
        yield inside, Cell("", _line(node), Kind.NULL)
    for name, child in children:
        yield from _cells(reading, child, name, depth + 1)


def _entries(reading: _Reading, node: MappingNode, inside: str) -> Iterator[tuple[str, Node]]:
    names: set[str] = set()
    for key, value in node.value:
        name = str(key.value) if isinstance(key, ScalarNode) else ""
        whole = f"{inside}.{name}" if inside else name
        if key.tag != "tag:yaml.org,2002:str":
            reading.fault(key, whole, "not_a_text", f'put the name in quotes ("{name}")')
        elif name in names:
            reading.fault(key, whole, "name_twice", "give each name once")
        else:
            names.add(name)
            yield whole, value


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and _KINDS.get(node.tag) is Kind.NULL


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
