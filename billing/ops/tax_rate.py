"""`billing tax-rate`: what a seller's rates are, and what they are going to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

import click

from billing.flows import tax_rates
from billing.flows.order import Order
from billing.kernel.errors import Fault, Refused
from billing.models import TaxRate
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, ordered
from billing.ops.telling import tell_done, tell_facts, tell_json, tell_table
from billing.queries.catalog import rates_of_seller
from billing.queries.operations.finding import find_seller
from billing.queries.operations.paging import Facts
from billing.queries.operations.trail import trail_of
from billing.validators.tax_rate import NewRateChange, NewTaxRate

_COLUMNS = ("name", "percent", "inclusive", "countries", "changes")

_of_seller = click.option("--seller", required=True, metavar="CODE", help="Whose rates they are.")
_day = click.option(
    "--from", "day", required=True, type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="In the seller's zone."
)


@group("tax-rate")
def tax_rate() -> None:
    """Tax rates: list, show, let one change from a day on, take that back."""


@tax_rate.command("list")
@_of_seller
@as_json
def list_(*, seller: str, as_json: bool) -> None:
    """List a seller's rates: the percent at home, those elsewhere, and what is to come of both on which day."""
    with opened().begin() as session:
        rows = [_facts(row) for row in rates_of_seller(session, find_seller(session, seller))]
    if as_json:
        tell_json(rows)
    elif rows:
        tell_table([_told(row) for row in rows], _COLUMNS)
    else:
        click.echo("There is no rate.")


@tax_rate.command("show")
@click.argument("name")
@_of_seller
@as_json
def show(*, name: str, seller: str, as_json: bool) -> None:
    """Show one, and by whom and why it was put as it is."""
    with opened().begin() as session:
        rates = rates_of_seller(session, find_seller(session, seller))
        row = next((rate for rate in rates if rate.name == name), None)
        if row is None:
            raise Refused(Fault("name", "tax_rate_not_found", "see `billing tax-rate list`"))
        found, trail = _facts(row), trail_of(session, [row.id])
    if as_json:
        tell_json(found | {"audit_trail": trail})
    else:
        tell_facts(_told(found) | {"audit_trail": trail})


@tax_rate.command("change")
@click.argument("name")
@_of_seller
@_day
@click.option("--percent", help="At home, and wherever no other is named.")
@click.option("--country", "countries", multiple=True, metavar="CC=PERCENT", help="Elsewhere; repeat it for each one.")
@ordered
@dry_run
@as_json
def change(
    *,
    name: str,
    seller: str,
    day: datetime,
    percent: str | None,
    countries: tuple[str, ...],
    reason: str,
    by: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Let a rate be another from a day on; what is not named stays as it was, also what was said for that day before.

    A period that is paid in advance bears the percent of its first day, usage that of its last. Issued documents keep
    theirs. Several rates change by one command each.
    """
    given = NewRateChange(
        day.date(), None if percent is None else _percent("percent", percent), dict(_countries(countries))
    )
    _carry_out(seller, name, lambda rate: _with(rate, given), reason, by, dry_run=dry_run, as_json=as_json)


@tax_rate.command("withdraw")
@click.argument("name")
@_of_seller
@_day
@ordered
@dry_run
@as_json
def withdraw(*, name: str, seller: str, day: datetime, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Take back what a rate was to be from a day on."""
    _carry_out(seller, name, lambda rate: _without(rate, day.date()), reason, by, dry_run=dry_run, as_json=as_json)


def _carry_out(
    seller: str,
    name: str,
    wanted: Callable[[NewTaxRate], NewTaxRate],
    reason: str,
    by: str,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    parts = opened()
    with parts.begin() as session:
        seller_id = find_seller(session, seller)
    done = tax_rates.change(
        parts, seller_id, name, wanted=wanted, order=Order(actor=by, reason=reason, dry_run=dry_run)
    )
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")


def _with(rate: NewTaxRate, given: NewRateChange) -> NewTaxRate:
    """The same with this change, in place of or on top of what was said for its day."""
    known = next((each for each in rate.changes if each.starts_on == given.starts_on), given)
    percent = known.percent if given.percent is None else given.percent
    merged = NewRateChange(given.starts_on, percent, {**known.countries, **given.countries})
    return _changed(rate, [*_others(rate, given.starts_on), merged])


def _without(rate: NewTaxRate, day: date) -> NewTaxRate:
    kept = _others(rate, day)
    if len(kept) == len(rate.changes):
        raise Refused(Fault("from", "change_not_found", f"no change of {rate.name} is said for {day}"))
    return _changed(rate, kept)


def _others(rate: NewTaxRate, day: date) -> list[NewRateChange]:
    return [each for each in rate.changes if each.starts_on != day]


def _changed(rate: NewTaxRate, changes: Sequence[NewRateChange]) -> NewTaxRate:
    return replace(rate, changes=tuple(sorted(changes, key=lambda each: each.starts_on)))


def _percent(field: str, said: str) -> Decimal:
    try:
        return Decimal(said)
    except InvalidOperation:
        raise Refused(Fault(field, "not_a_number", "give a percent such as 19 or 5.5")) from None


def _countries(said: Sequence[str]) -> Iterator[tuple[str, Decimal]]:
    for pair in said:
        country, given, percent = pair.partition("=")
        if not given:
            raise click.UsageError(f"{pair!r} is no CC=PERCENT.")
        yield country.strip(), _percent(f"countries.{country.strip()}", percent.strip())


def _facts(row: TaxRate) -> Facts:
    names = ("id", "name", "percent", "inclusive", "countries", "changes", "version")
    return {name: getattr(row, name) for name in names}


def _told(facts: Facts) -> Facts:
    """With its mappings in words."""
    changes = (f"{each['starts_on']}: {_percents(each['percent'], each['countries'])}" for each in facts["changes"])
    return facts | {"countries": _percents(None, facts["countries"]), "changes": "; ".join(changes)}


def _percents(home: str | None, countries: Mapping[str, str]) -> str:
    elsewhere = [f"{country} {percent}" for country, percent in sorted(countries.items())]
    return ", ".join([home, *elsewhere] if home is not None else elsewhere)
