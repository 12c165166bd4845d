"""Rows of an import file: cells with the lines on which they stand, and their reading as text, numbers and times.

Both formats become rows of this kind. A cell that can't be read is noted as a fault and stands for something harmless,
so that the rest of the file is still checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from billing.flows.intake_input import LineFault
from billing.kernel.clock import parse_instant
from billing.kernel.errors import Refused
from billing.validators.checks import UNSTORED

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?", re.ASCII)
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_DELAY = re.compile(r"([1-9][0-9]{0,3})([dh])", re.ASCII)
_HOURS = re.compile(r"(\d{1,2})-(\d{1,2})", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """What a file's format says that a cell is. A CSV file knows text only."""

    TEXT = "text"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class Cell:
    """One value as it is written, and its line (from 1)."""

    text: str
    line: int
    kind: Kind = Kind.TEXT

    @property
    def empty(self) -> bool:
        return self.kind is Kind.NULL or not self.text


@dataclass(slots=True)
class Row:
    """One thing of a file: its cells by dotted name, as `address.city` or `items.1.price`."""

    line: int
    cells: Mapping[str, Cell]
    faults: list[LineFault]
    names: Mapping[str, str] = field(default_factory=dict)
    """What the file calls a cell, where that differs."""
    used: set[str] = field(default_factory=set)

    @property
    def lines(self) -> dict[str, int]:
        return {name: cell.line for name, cell in self.cells.items()}

    def fault(self, name: str, code: str, mend: str) -> None:
        line = self.cells[name].line if name in self.cells else self.line
        self.faults.append(LineFault(line, self.names.get(name, name), code, mend))

    def has(self, name: str) -> bool:
        """Whether there is a value."""
        return self._cell(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """A name or a text. A boolean or a float in its place is a fault: `NO` and `1.10` must be quoted in YAML."""
        cell = self._cell(name)
        if cell is None:
            return default
        if UNSTORED.search(cell.text):
            # What is there already is asked for by these names before anything else is looked at.
            self.fault(name, "control_character", "remove line breaks and other characters that do not show")
            return ""
        if cell.kind in (Kind.BOOL, Kind.FLOAT):
            self.fault(name, "not_a_text", f'YAML reads this as a {cell.kind}; put it in quotes ("{cell.text}")')
        return cell.text

    def optional_text(self, name: str) -> str | None:
        return self.text(name) if self.has(name) else None

    def text_lines(self, name: str) -> str | None:
        """A text of lines. How they end on the machine that wrote them, and how the last does, is no part of it."""
        given = self.optional_text(name)
        return given.replace("\r\n", "\n").strip("\n") or None if given else None

    def needed(self, name: str) -> str:
        """A text without which the row means nothing."""
        if not self.has(name):
            self.fault(name, "missing", "give a value")
        return self.text(name)

    def number(self, name: str) -> Decimal:
        """An exact decimal number."""
        cell = self._cell(name)
        if cell is None:
            self.fault(name, "missing", "give a number")
        elif cell.kind is Kind.FLOAT:
            self.fault(name, "float_not_exact", f'put it in quotes: "{cell.text}"')
        elif cell.kind is Kind.BOOL or not _NUMBER.fullmatch(cell.text):
            self.fault(name, "not_a_number", "give a number such as 1000 or 0.5, without separators")
        else:
            return Decimal(cell.text)
        return Decimal(0)

    def whole(self, name: str, default: int) -> int:
        """A whole number."""
        cell = self._cell(name)
        if cell is None:
            return default
        if cell.kind not in (Kind.INT, Kind.TEXT) or not _WHOLE.fullmatch(cell.text):
            self.fault(name, "not_a_whole_number", "give a whole number such as 3")
            return default
        return int(cell.text)

    def optional_whole(self, name: str) -> int | None:
        """A whole number, or nothing."""
        return self.whole(name, 0) if self.has(name) else None

    def says_null(self, name: str) -> bool:
        """Whether it is given, and given as nothing: null in YAML, `none` in a file that knows text only."""
        self.used.add(name)
        cell = self.cells.get(name)
        return cell is not None and (cell.kind is Kind.NULL or cell.text == "none")

    def mapping(self, name: str) -> None:
        """It has names and values of its own, or nothing; a text in its place is a fault."""
        if self.has(name):
            self.fault(name, "not_a_mapping", "give names and values of its own, each on a line of its own")

    def places(self, name: str) -> list[str]:
        """The entries of a list, each by the beginning of the names of its cells; a text in its place is a fault."""
        self._no_text(name)
        begun = (cell.split(".") for cell in self.cells if cell.startswith(f"{name}."))
        return list(dict.fromkeys(f"{name}.{parts[1]}" for parts in begun))

    def flag(self, name: str, *, default: bool = False) -> bool:
        """true or false."""
        cell = self._cell(name)
        if cell is None:
            return default
        if cell.text.lower() not in ("true", "false"):
            self.fault(name, "not_true_or_false", "give true or false")
        return cell.text.lower() == "true"

    def instant(self, name: str) -> datetime:
        """An instant, needed."""
        if not self.has(name):
            self.fault(name, "missing", "give a time such as 2026-01-31T09:00:00+01:00, or a date for 00:00 UTC")
        return self.optional_instant(name) or _SOME_TIME

    def optional_instant(self, name: str) -> datetime | None:
        """An instant, or nothing."""
        cell = self._cell(name)
        if cell is None:
            return None
        try:
            return parse_instant(cell.text, field=name)
        except Refused as refusal:
            for each in refusal.faults:
                self.fault(name, each.code, each.mend)
            return _SOME_TIME

    def day(self, name: str) -> date:
        """A day of a calendar, needed."""
        said = self.needed(name)
        try:
            if said and _DAY.fullmatch(said):
                return date.fromisoformat(said)
        except ValueError:
            pass
        if said:
            self.fault(name, "not_a_day", "give a day such as 2027-01-01")
        return _SOME_TIME.date()

    def delays(self, name: str) -> tuple[timedelta, ...] | None:
        """A list of delays such as 3d or 12h; None where it is not given. A text in its place is a fault."""
        if name in self.cells:
            self._no_text(name)
            return ()
        names = [one for one in self.cells if one.startswith(f"{name}.")]
        return tuple(self._delay(one) for one in names) if names else None

    def words(self, name: str) -> tuple[str, ...]:
        """Some names: a list, or one text with blanks between them. Empty where it is not given."""
        names = [one for one in self.cells if one.startswith(f"{name}.")]
        return tuple(self.text(one) for one in names) if names else tuple(self.text(name).split())

    def hours(self, name: str) -> tuple[int, int] | None:
        """Hours of a day such as 8-20, needed; None where it says `any`."""
        said = self.text(name)
        if said == "any":
            return None
        match = _HOURS.fullmatch(said)
        if match is None:
            self.fault(name, "not_hours", 'give two hours of a day, such as "8-20", or `any`')
            return None
        return int(match[1]), int(match[2])

    def _no_text(self, name: str) -> None:
        if self.has(name):
            self.fault(name, "not_a_list", "give a list, also of one: each entry behind a dash, or all within [ ]")

    def _delay(self, name: str) -> timedelta:
        match = _DELAY.fullmatch(self.text(name))
        if match is None:
            self.fault(name, "not_a_delay", "give days or hours, such as 3d or 12h")
            return timedelta(days=1)
        return timedelta(**{"days" if match[2] == "d" else "hours": int(match[1])})

    def refuse_unused(self) -> None:
        """Note every cell that nobody read: a misspelt name is not silently dropped."""
        for name in self.cells:
            if name not in self.used:
                self.fault(name, "unknown_field", "this name means nothing here; see the docs of `billing import`")

    def _cell(self, name: str) -> Cell | None:
        self.used.add(name)
        cell = self.cells.get(name)
        return None if cell is None or cell.empty else cell
