"""Times as options name them: an instant, a date, a month. Apart from the other options, since these load nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import click

from billing.kernel.clock import parse_instant
from billing.kernel.errors import Refused


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
FIRST, LAST = date(1900, 1, 1), date(2999, 12, 31)
"""As at the API: the day and the month after it can be reckoned."""


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


def _within(day: date) -> date:
    if not FIRST <= day <= LAST:
        raise ValueError("beyond the books")
    return day
