"""`billing report`: what finance people are asked for, each tied to the trial balance."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, TypeVar

import click

from billing.kernel.clock import format_instant
from billing.kernel.money import decimal_minor
from billing.ops.failures import FINDING
from billing.ops.group import group
from billing.ops.ledger import as_of_day, named_seller, seller_code
from billing.ops.opening import opened
from billing.ops.options import as_json
from billing.ops.telling import tell_json, tell_table
from billing.ops.times import MONTH
from billing.queries.books import reports
from billing.queries.books.payout import payout_report
from billing.queries.books.report import Report
from billing.queries.books.tax import tax_report
from billing.queries.operations.paging import Facts
from billing.writing.cells import harmless

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

in_month = click.option("--month", type=MONTH, required=True, metavar="YYYY-MM", help="By accounting date.")


def shown(function: Decorated) -> Decorated:
    """`--seller`, `--json`, `--csv`."""
    as_csv = click.option("--csv", "as_csv", is_flag=True, help="Print CSV: amounts in the currency's main unit.")
    return seller_code(as_json(as_csv(function)))


@group("report")
def report() -> None:
    """Reports that tie to the trial balance: tax, aging, deferred, payouts, and what one payout holds."""


@report.command("tax")
@in_month
@shown
def tax(*, month: date, seller: str | None, as_json: bool, as_csv: bool) -> None:
    """Tax of a month's documents by country, treatment and rate; ties to tax_payable."""
    with opened().begin() as session:
        found = tax_report(session, month=month, seller_id=named_seller(session, seller))
    _tell(found, as_json=as_json, as_csv=as_csv)


@report.command("aging")
@as_of_day
@click.option("--by-customer", is_flag=True, help="A row for each customer, by your own id of them.")
@shown
def aging(*, as_of: date | None, by_customer: bool, seller: str | None, as_json: bool, as_csv: bool) -> None:
    """What was owed on invoices at the end of a day, by how late it was; ties to receivable."""
    made = opened()
    with made.begin() as session:
        as_of = as_of or made.clock.now(session).date()
        seller_id = named_seller(session, seller)
        found = reports.aging_report(session, as_of=as_of, by_customer=by_customer, seller_id=seller_id)
    _tell(found, as_json=as_json, as_csv=as_csv)


@report.command("deferred")
@as_of_day
@shown
def deferred(*, as_of: date | None, seller: str | None, as_json: bool, as_csv: bool) -> None:
    """What was invoiced and not yet earned at the end of a day, by month; ties to deferred_revenue."""
    made = opened()
    with made.begin() as session:
        as_of = as_of or made.clock.now(session).date()
        found = reports.deferred_report(session, as_of=as_of, seller_id=named_seller(session, seller))
    _tell(found, as_json=as_json, as_csv=as_csv)


@report.command("payouts")
@in_month
@shown
def payouts(*, month: date, seller: str | None, as_json: bool, as_csv: bool) -> None:
    """Payouts that were on their way, arrived or failed in a month; ties to payouts_in_transit and bank."""
    with opened().begin() as session:
        found = reports.payouts_report(session, month=month, seller_id=named_seller(session, seller))
    _tell(found, as_json=as_json, as_csv=as_csv)


@report.command("payout")
@click.argument("payout", metavar="PAYOUT")
@shown
def payout(*, payout: str, seller: str | None, as_json: bool, as_csv: bool) -> None:
    """What one payout holds, each movement with its fee and invoice; ties to what was booked as sent."""
    with opened().begin() as session:
        found = payout_report(session, payout=payout, seller_id=named_seller(session, seller))
    _tell(found, as_json=as_json, as_csv=as_csv)


def _tell(found: Report, *, as_json: bool, as_csv: bool) -> None:
    """The rows and the tie of each seller and currency. Ends with status 1 where one doesn't tie."""
    if as_json:
        by_account = [{**asdict(tie), "difference_minor": tie.difference_minor} for tie in found.ties]
        tell_json({"report": found.name, "rows": found.rows, "ties": by_account})
    elif as_csv:
        _write(found)
    elif found.rows:
        tell_table(found.rows, found.columns)
    if not as_json:
        for tie in found.ties:
            sums = (tie.report_minor, tie.ledger_minor, tie.difference_minor)
            told, booked, off = (decimal_minor(each, tie.currency) for each in sums)
            whose = f"{tie.seller} {tie.currency.upper()}"
            click.echo(f"{whose}: report {told}, {tie.account} {booked}, difference {off}", err=as_csv)
        if not found.ties:
            click.echo("Nothing to report; the ledger has nothing either.", err=as_csv)
    click.get_current_context().exit(FINDING if found.broken else 0)


def _write(found: Report) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(column.removesuffix("_minor") for column in found.columns)
    for row in found.rows:
        writer.writerow(_cell(row, column) for column in found.columns)


def _cell(row: Facts, column: str) -> object:
    value = row[column]
    if column.endswith("_minor"):
        return decimal_minor(value, row["currency"])
    if column == "currency":
        return str(value).upper()
    if isinstance(value, datetime):
        return format_instant(value)
    return harmless(value) if isinstance(value, str) else value
