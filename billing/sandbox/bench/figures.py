"""Figures of a bench: a median with its spread, said in a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import click
from rich.console import Console
from rich.table import Table

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of several measurements, the lowest and the highest."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, measured: Sequence[float]) -> Spread:
        """Raises `StatisticsError` where nothing was measured."""
        return cls(median(measured), min(measured), max(measured))

    def told(self, *, digits: int = 0) -> str:
        """For people: `5,850 (5,700 to 5,910)`."""
        return f"{self.median:,.{digits}f} ({self.lowest:,.{digits}f} to {self.highest:,.{digits}f})"

    def as_json(self) -> Json:
        """For programs."""
        return {"median": round(self.median, 2), "lowest": round(self.lowest, 2), "highest": round(self.highest, 2)}


@dataclass(frozen=True, slots=True)
class Report:
    """Where a bench says things: tables on standard output, or JSON there and progress on standard error."""

    as_json: bool

    @property
    def console(self) -> Console:
        return Console(stderr=self.as_json)

    def progress(self, line: str) -> None:
        """Something that takes time begins."""
        click.echo(line, err=True)

    def table(self, title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Not shown with JSON. The first column is text, the others are numbers."""
        if self.as_json:
            return
        table = Table(title=title, title_justify="left")
        for place, heading in enumerate(headings):
            table.add_column(heading, justify="right" if place else "left")
        for row in rows:
            table.add_row(*row)
        Console().print(table)

    def line(self, text: str) -> None:
        """Not shown with JSON."""
        if not self.as_json:
            click.echo(text)

    def end(self, figures: Json) -> None:
        """All figures, with JSON."""
        if self.as_json:
            click.echo(json.dumps(figures, indent=2))
