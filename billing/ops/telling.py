"""How facts are shown: tables that stay readable when narrow or piped, or JSON; instants in UTC with `Z`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from textwrap import wrap
from typing import Any
from uuid import UUID

import click
from rich.box import SIMPLE
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from billing.flows.order import Done
from billing.kernel.clock import format_instant
from billing.kernel.money import format_minor
from billing.ops.failures import REFUSED, Failed
from billing.ops.screen import Screen
from billing.queries.operations.paging import Facts, Page
from billing.rules.figures import price_of
from billing.writing.tables import columns_of, is_rows

_PIPED_WIDTH = 10_000
"""Columns where nobody's screen limits a line."""
_LEAST_ROOM = 30
_AMOUNTS = ("amount", "discount", "unit_amount")
"""Columns of amounts that are text already, or a price of one."""


def tell_json(value: Any) -> None:
    """Print as JSON."""
    # In another encoding than UTF-8, letters that it lacks would be told by escapes that are not JSON's.
    unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    click.echo(as_text(value, ensure_ascii=not unicode))


def as_text(value: Any, *, ensure_ascii: bool = False) -> str:
    """As JSON, for a file."""
    return json.dumps(value, indent=2, default=_plain, ensure_ascii=ensure_ascii)


def tell_page(page: Page, columns: Sequence[str], *, as_json: bool, nothing: str) -> None:
    """A list and, on standard error, how to see the next page."""
    if as_json:
        tell_json(page.rows)
    elif page.rows:
        tell_table(page.rows, columns)
    else:
        click.echo(nothing if page.next_before is None else "None of those that were looked at.")
    if page.next_before is not None:
        click.echo(f"There are more: --before {page.next_before}", err=True)


def tell_table(rows: Iterable[Facts], columns: Sequence[str]) -> None:
    """Rows below each other; each as a block of its own where a screen is too narrow for a line of it."""
    console = Screen(highlight=False)
    if not console.is_terminal:
        console.width = _PIPED_WIDTH
    cells = [[_text(row, column) for column in columns] for row in rows]
    table = Table(box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(_heading(column), no_wrap=True, justify="right" if _is_amount(column) else "left")
    for line in cells:
        table.add_row(*map(Text, line))
    unlimited = console.options.update(width=_PIPED_WIDTH)
    if Measurement.get(console, unlimited, table).maximum <= console.width:
        console.print(table, soft_wrap=not console.is_terminal)
        return
    for line in cells:
        tell_pairs(zip(map(_heading, columns), line, strict=True))
        click.echo()


def tell_facts(facts: Mapping[str, Any]) -> None:
    """One thing: its own facts in lines, then each list that belongs to it as a table."""
    own = {name: value for name, value in facts.items() if not is_rows(value)}
    tell_pairs((_heading(name), text) for name in own if (text := _text(own, name)))
    for name, value in facts.items():
        if is_rows(value):
            click.echo(f"\n{_heading(name)}:")
            rows = [{"currency": facts.get("currency"), **row} for row in value]
            tell_table(rows, columns_of(value))


def tell_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Names and values, aligned."""
    known = list(pairs)
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        click.echo(f"{name:<{width}}  {value}".rstrip())


def tell_wrapped(rows: Iterable[Facts], columns: Sequence[str]) -> None:
    """Rows without a heading; the last column, a sentence, goes on below itself where a screen is too narrow."""
    cells = [[_text(row, column) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)][:-1]
    begins = sum(widths) + 2 * len(widths)
    console = Screen(highlight=False)
    room = max((console.width if console.is_terminal else _PIPED_WIDTH) - begins, _LEAST_ROOM)
    for *first, sentence in cells:
        lead = "".join(f"{cell:<{width}}  " for cell, width in zip(first, widths, strict=True))
        lines = wrap(sentence, room, break_on_hyphens=False)
        click.echo(lead + f"\n{' ' * begins}".join(lines))


def tell_done(done: Sequence[Done], *, dry_run: bool, as_json: bool, nothing: str, ids: bool = True) -> None:
    """What became of orders. Ends with status 3 where any was refused; the others are done all the same.

    `ids`: beside each name its subject's id, which other commands take.
    """
    if as_json:
        fields = ("subject_id", "name", "changed", "told", "refused")
        tell_json([{name: getattr(each, name) for name in fields} | {"dry_run": dry_run} for each in done])
    else:
        for each in done:
            verdict = f"refused: {each.refused} — {each.told}" if each.refused else each.told
            name = f"{each.name} {each.subject_id}" if ids else each.name
            click.echo(f"{'dry run: ' if dry_run else ''}{name}: {verdict}")
        if not done:
            click.echo(nothing)
    refused = [each.refused for each in done if each.refused]
    if refused:
        raise Failed([f"{len(refused)} of {len(done)} refused: {', '.join(sorted(set(refused)))}"], REFUSED)


def _heading(column: str) -> str:
    return column.removesuffix("_minor").replace("_", " ")


def _is_amount(column: str) -> bool:
    return column.endswith("_minor") or column in _AMOUNTS


def _text(row: Mapping[str, Any], column: str) -> str:
    value = row[column]
    if column.endswith("_minor") and value is not None:
        return format_minor(int(value), row["currency"]) if row.get("currency") else str(value)
    if value is None:
        return ""
    if column == "unit_amount" and row.get("currency"):
        return price_of(str(value), row["currency"])
    if column == "currency":
        return str(value).upper()  # as beside every amount; JSON has it as it is given
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and not is_rows(value):
        return ", ".join(map(str, value))
    if isinstance(value, dict | list):
        return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"))
    if column == "status" and row.get("amount_charged_back_minor"):
        return f"{value}, charged back"
    # A cell is one line, and holds nothing that would move a terminal's cursor.
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(_plain(value))).split())


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, UUID | str | int | float):
        return str(value)
    raise TypeError(f"{type(value).__name__} is nothing to print")
