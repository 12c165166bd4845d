"""`billing usage`: what was used of metered prices, from a file; and what came too late to be billed."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TextIO
from uuid import UUID

import click

from billing.flows.intake_input import LineFault
from billing.flows.order import Order
from billing.flows.usage_intake import UsageLine, UsageReport, take_usage
from billing.ops.failures import REFUSED
from billing.ops.group import group
from billing.ops.import_csv import csv_lines
from billing.ops.import_rows import Cell, Row
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, ordered, paged
from billing.ops.telling import tell_json, tell_page
from billing.ops.times import INSTANT
from billing.queries.operations.finding import require_account, require_subscription
from billing.queries.operations.usage import list_late
from billing.validators.usage import NewUsage

_NEEDED = ("subscription", "price", "id", "quantity")
_COLUMNS = (*_NEEDED, "timestamp")
_LATE = ("account_id", "subscription", "price", "usage", "record_id", "quantity", "used_at", "created_at", "id")
_MOST_TOLD = 1000
"""Faults, and lines that differ, that are printed one by one; JSON has them all."""


@group("usage")
def usage() -> None:
    """Usage of metered prices: record a file, list what came late."""


@usage.command("record")
@click.argument("file", metavar="FILE|-", type=click.File("r", encoding="utf-8-sig"))
@click.option("--seller", metavar="CODE", help="Whose subscriptions these are; needed where there are several sellers.")
@ordered
@dry_run
@as_json
@click.pass_context
def record(
    context: click.Context, *, file: TextIO, seller: str | None, reason: str, by: str, dry_run: bool, as_json: bool
) -> None:
    """Record usage from a CSV file, or from standard input (-).

    Columns: subscription, price, id, quantity and, where it was not used just now, timestamp. The id is yours and
    unique in the subscription: the same file again changes nothing. 10,000 lines are recorded at a time; where a line
    is at fault, none of its batch is. Mend the lines that are named and give the whole file again.
    """
    name, faults = getattr(file, "name", "<stdin>"), list[LineFault]()
    report = take_usage(
        opened(),
        _lines(file, faults),
        seller=seller,
        order=Order(actor=by, reason=reason, dry_run=dry_run),
        progress=lambda count: click.echo(f"{count} lines", err=True),
    )
    report.faults += faults
    if as_json:
        tell_json({"dry_run": dry_run, **asdict(report)})
    else:
        _tell(report, name, dry_run=dry_run)
    context.exit(REFUSED if report.faults else 0)


@usage.command("late")
@click.option("--customer", metavar="ACCOUNT", help="Only this customer's, by the account of the host application.")
@click.option("--subscription", metavar="CODE", help="Only of this subscription.")
@click.option("--since", type=INSTANT, help="Only what was used at or after this instant.")
@paged
@as_json
def late(
    *,
    customer: str | None,
    subscription: str | None,
    since: datetime | None,
    limit: int,
    before: UUID | None,
    as_json: bool,
) -> None:
    """List records that came after their period was invoiced and change nothing, newest first.

    Only prices by the highest or the latest value have such records: what came late of a sum is billed with the next
    period.
    """
    with opened().begin() as session:
        require_account(session, customer)
        require_subscription(session, subscription)
        page = list_late(session, customer=customer, subscription=subscription, since=since, before=before, limit=limit)
    tell_page(page, _LATE, as_json=as_json, nothing="Nothing came late.")


def _lines(file: TextIO, faults: list[LineFault]) -> Iterator[UsageLine]:
    """Every line, one by one. What stops the reading itself goes to `faults`."""
    lines = csv_lines(csv.reader(file, strict=True), faults)
    number = 0
    try:
        number, header = next(lines, (1, []))
        if not _check_header(header, faults):
            return
        for number, values in lines:
            yield _line(number, header, values)
    except UnicodeDecodeError:
        faults.append(LineFault(number + 1, "file", "not_utf8", "save the file as UTF-8"))


def _check_header(header: list[str], faults: list[LineFault]) -> bool:
    found = len(faults)
    mend = f"columns are {', '.join(_COLUMNS)}"
    for column in header:
        if column not in _COLUMNS:
            faults.append(LineFault(1, column[:40], "unknown_column", mend))
            mend = "it is none of those either"
        elif header.count(column) > 1:
            faults.append(LineFault(1, column, "column_twice", "give each column once"))
    faults += [
        LineFault(1, column, "column_missing", "add the column to the first line")
        for column in _NEEDED
        if column not in header
    ]
    return len(faults) == found


def _line(number: int, header: list[str], values: list[str]) -> UsageLine:
    if len(values) != len(header):
        mend = f"the header has {len(header)} columns, this line {len(values)}; quote values that hold a comma"
        return UsageLine(number, None, (LineFault(number, "line", "wrong_number_of_columns", mend),))
    found: list[LineFault] = []
    cells = {column: Cell(value.strip(), number) for column, value in zip(header, values, strict=True)}
    row = Row(number, cells, found)
    for name, cell in cells.items():
        if not cell.text.isprintable():
            row.fault(name, "control_character", "remove line breaks and other characters that do not show")
    made = NewUsage(
        subscription=row.needed("subscription"),
        price_code=row.needed("price"),
        record_id=row.needed("id"),
        quantity=row.number("quantity"),
        used_at=row.optional_instant("timestamp"),
    )
    return UsageLine(number, None if found else made, tuple(found))


def _tell(report: UsageReport, name: str, *, dry_run: bool) -> None:
    for each in report.faults[:_MOST_TOLD]:
        click.echo(f"{name}:{each.line}: {each.field}: {each.code} ({each.mend})", err=True)
    if len(report.faults) > _MOST_TOLD:
        click.echo(f"… and {len(report.faults) - _MOST_TOLD} more faults; --json shows all", err=True)
    for line in report.differing[:_MOST_TOLD]:
        click.echo(f"{name}:{line}: id: recorded_otherwise (what is recorded stays; see docs/pricing.md)", err=True)
    told = f"{'Would record' if dry_run else 'Recorded'} {report.written}; {report.repeated} were there already"
    told += f", {len(report.differing)} of them with other values, which stay." if report.differing else "."
    if report.late:
        told += f" {report.late} came too late to be billed: `billing usage late`."
    if report.faults:
        count = len(report.faults)
        told += f" {report.held_up} lines are held up by {count} {'fault' if count == 1 else 'faults'}."
    click.echo(told)
