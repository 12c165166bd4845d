"""`billing ledger`: the books as finance people need them."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import IO
from uuid import UUID

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.flows.bookkeeping import close as close_books
from billing.flows.bookkeeping import name_account
from billing.flows.order import Order
from billing.kernel.clock import format_instant
from billing.kernel.money import decimal_minor
from billing.models import Seller
from billing.ops.failures import FINDING
from billing.ops.files import not_writable
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, operator, ordered
from billing.ops.telling import tell_done, tell_json, tell_table
from billing.ops.times import DATE, FIRST, LAST, MONTH
from billing.queries.books.postings import stream_postings
from billing.queries.books.trial_balance import TrialBalance, trial_balances
from billing.queries.catalog import the_seller
from billing.writing.cells import harmless

as_of_day = click.option(
    "--as-of", type=DATE, metavar="DATE", help="The last day that counts, by accounting date.  [default: today, UTC]"
)
seller_code = click.option("--seller", metavar="CODE", help="Only this seller's books.  [default: all sellers]")
_COLUMNS = ("account", "code", "debit_minor", "credit_minor", "balance_minor")
_COLUMNS_SINCE = ("account", "code", "opening_minor", "debit_minor", "credit_minor", "balance_minor")
_EXPORTED = (
    "date", "entry", "kind", "seller", "account", "code", "currency", "debit", "credit", "document", "customer",
    "effective_at", "charge",
)  # fmt: skip


@group("ledger")
def ledger() -> None:
    """The books: trial balance, export, closing a month, numbers of accounts."""


@ledger.command("trial-balance")
@as_of_day
@click.option(
    "--from",
    "since",
    type=DATE,
    metavar="DATE",
    help="First day of the debits and credits; what lies before is opening.",
)
@seller_code
@as_json
@click.pass_context
def trial_balance(
    context: click.Context, *, as_of: date | None, since: date | None, seller: str | None, as_json: bool
) -> None:
    """What each account stands at, by seller and currency, at the end of a day; with --from, how it came there.

    Debits are positive. Each balance sheet sums to 0; where one doesn't, it says so and ends with status 1.
    """
    made = opened()
    with made.begin() as session:
        as_of = as_of or made.clock.now(session).date()
        if since is not None and as_of < since:
            raise click.UsageError("--as-of lies before --from.")
        found = trial_balances(session, as_of=as_of, since=since, seller_id=named_seller(session, seller))
    if as_json:
        told = [{**asdict(each), "difference_minor": each.difference_minor} for each in found]
        first = since.isoformat() if since else None
        tell_json({"from": first, "as_of": as_of.isoformat(), "balances": told})
    else:
        _show(found, as_of, since)
    context.exit(FINDING if any(each.difference_minor for each in found) else 0)


def _show(found: list[TrialBalance], as_of: date, since: date | None) -> None:
    span = f"from {since.isoformat()} to the" if since else "at the"
    for each in found:
        click.echo(f"{each.seller}, {each.currency.upper()}, {span} end of {as_of.isoformat()}")
        rows = [asdict(account) | {"currency": each.currency} for account in each.accounts]
        tell_table(rows, _COLUMNS_SINCE if since else _COLUMNS)
        difference = decimal_minor(each.difference_minor, each.currency)
        click.echo(f"sum {difference} {each.currency.upper()}\n")
    if not found:
        click.echo("No postings up to that day.")


@ledger.command("export")
@click.option("--from", "since", type=DATE, metavar="DATE", help="First accounting date.  [default: the first]")
@click.option("--to", "until", type=DATE, metavar="DATE", help="Last accounting date, included.  [default: the last]")
@seller_code
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file, which must not exist.  [default: standard output]",
)
def export(*, since: date | None, until: date | None, seller: str | None, out: Path | None) -> None:
    """Every posting as CSV, oldest first, one line each: either a debit or a credit, in the currency's main unit.

    `code` is the number that `billing ledger account` gave to the account, else it is empty. Memory stays the same
    however many there are.
    """
    since, until = since or FIRST, until or LAST
    if until < since:
        raise click.UsageError("--to lies before --from.")
    made = opened()
    with made.begin() as session:
        seller_id = named_seller(session, seller)
    with made.begin() as session, _opened_file(out) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_EXPORTED)
        for row in stream_postings(session, since=since, until=until, seller_id=seller_id):
            amount = decimal_minor(abs(row.amount_minor), row.currency)
            writer.writerow(
                (
                    row.booked_on.isoformat(),
                    row.entry_id,
                    row.kind,
                    row.seller,
                    row.account,
                    harmless(row.code or ""),
                    row.currency.upper(),
                    amount if row.amount_minor > 0 else "",
                    amount if row.amount_minor < 0 else "",
                    row.document or "",
                    harmless(row.account_id or ""),
                    format_instant(row.effective_at),
                    row.charge_ref or "",
                )
            )


@ledger.command("close")
@click.argument("month", type=MONTH, metavar="YYYY-MM")
@click.option("--seller", metavar="CODE", help="Only this seller's books.  [default: all sellers]")
@click.option("--reason", default="the month is over", show_default=True, help="Why; kept in the audit trail.")
@click.option("--by", default=operator, help="Who; kept in the audit trail.  [default: the user of this machine]")
@dry_run
@as_json
def close(*, month: date, seller: str | None, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Close a month and what lies before it: no entry is dated in it any more, and it is never opened again.

    Its revenue is recognised first. What is learnt later is dated on the first day of the open month and keeps the
    instant at which it took effect. Closing a closed month changes nothing.
    """
    made = opened()
    with made.begin() as session:
        sellers = [the_seller(session, seller).id] if seller else list(session.scalars(select(Seller.id)))
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    done = [close_books(made, each, month=month, order=order) for each in sellers]
    tell_done(done, dry_run=dry_run, as_json=as_json, nothing="There is no seller.", ids=False)


@contextmanager
def _opened_file(path: Path | None) -> Iterator[IO[str]]:
    if path is None:
        yield sys.stdout
        return
    try:
        file = path.open("x", encoding="utf-8", newline="")
    except OSError as error:
        raise not_writable(error, "a new file in a folder of yours") from error
    try:
        with file:
            yield file
    except BaseException:
        # A part of the books looks like all of them, and the same order again would find its file taken.
        path.unlink(missing_ok=True)
        raise


@ledger.command("account")
@click.argument("account")
@click.argument("code", required=False)
@click.option("--seller", required=True, metavar="CODE", help="In whose chart of accounts.")
@ordered
@dry_run
@as_json
def account(*, account: str, code: str | None, seller: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Give an account its number in the seller's own chart, for exports; without CODE the number is forgotten."""
    made = opened()
    with made.begin() as session:
        seller_id = the_seller(session, seller).id
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    done = name_account(made, seller_id, account=account, code=code, order=order)
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="", ids=False)


def named_seller(session: Session, code: str | None) -> UUID | None:
    """The id of the seller that an option names, None without one. Raises `Refused` (`seller_not_found`)."""
    return None if code is None else the_seller(session, code).id
