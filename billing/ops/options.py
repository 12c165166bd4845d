"""Options that several commands share: how much is listed, who orders it and why, and how it is shown."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from uuid import UUID

import click

from billing.flows.order import Order
from billing.kernel.clock import parse_instant
from billing.kernel.errors import Refused

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class InstantType(click.ParamType[datetime]):
    """ISO 8601 with an offset, or a bare date for 00:00 UTC."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return parse_instant(value, field=(param.name if param else None) or "time")
        except Refused as refused:
            self.fail(refused.faults[0].mend, param, ctx)


INSTANT = InstantType()


class DateType(click.ParamType[date]):
    """A calendar date: 2026-01-31."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return _within(date.fromisoformat(value))
        except ValueError:
            self.fail("give a date as 2026-01-31, of the years 1900 to 2999", param, ctx)


DATE = DateType()


class MonthType(click.ParamType[date]):
    """A month: 2026-01. It becomes its first day."""

    name = "month"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return _within(datetime.strptime(value, "%Y-%m").replace(tzinfo=UTC).date())
        except ValueError:
            self.fail("give a month as 2026-01, of the years 1900 to 2999", param, ctx)


MONTH = MonthType()


_FIRST, _LAST = date(1900, 1, 1), date(2999, 12, 31)
"""As at the API: the day and the month after it can be reckoned."""


def _within(day: date) -> date:
    if not _FIRST <= day <= _LAST:
        raise ValueError("beyond the books")
    return day


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON: instants in UTC, amounts in minor units.")


def paged(function: Decorated) -> Decorated:
    """`--limit` and `--before`."""
    limit = click.option(
        "--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="Most rows shown."
    )
    before = click.option("--before", type=click.UUID, help="Go on after this id: the last one of the page before.")
    return limit(before(function))


def ordered(function: Decorated) -> Decorated:
    """`--reason` and `--by`, which stand in the audit trail."""
    reason = click.option("--reason", required=True, help="Why; kept in the audit trail.")
    by = click.option(
        "--by", default=operator, help="Who; kept in the audit trail.  [default: the user of this machine]"
    )
    return reason(by(function))


def tried(function: Decorated) -> Decorated:
    """The same, where a dry run needs no reason: nothing of it is kept."""
    reason = click.option("--reason", help="Why; kept in the audit trail. Needed unless it is a dry run.")
    by = click.option(
        "--by", default=operator, help="Who; kept in the audit trail.  [default: the user of this machine]"
    )
    return reason(by(function))


def required_unless_tried(reason: str | None, *, dry_run: bool) -> str:
    """The reason. Without one, of what is not only tried, it is a fault of usage."""
    if reason is None and not dry_run:
        raise click.UsageError("Missing option '--reason'.")
    return "a dry run" if reason is None else reason


dry_run = click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")


def operator() -> str:
    """The user of this machine, by name where it has one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def looked(*, by: str | None, reason: str | None, what: str) -> Order:
    """The order behind a look at something personal. Without a reason it is a fault of usage."""
    if not reason:
        raise click.UsageError(f"{what} is personal: say why with --reason; it is kept in the audit trail.")
    return Order(actor=by or operator(), reason=reason)


def one_or_all(id_: UUID | str | None, *, everything: bool) -> None:
    """Exactly one of an id and `--all`, else a fault of usage."""
    if (id_ is None) is not everything:
        raise click.UsageError("Give one ID, or --all with filters.")
