"""Today at a glance: what is due, billed, collected, failing and waiting, and whether everything runs."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy.exc import OperationalError

from billing.db.clock import wall_now
from billing.flows.health import told_of_line
from billing.flows.measuring import Sample, measure
from billing.flows.parts import Parts
from billing.kernel.status import WorkItemStatus
from billing.queries.audit_runs import gauge
from billing.queries.operations import today as standings
from billing.queries.operations import work as items
from billing.queries.operations.health import beats
from billing.queries.operations.paging import Facts
from billing.queries.operations.today import failing, given_up, money_by_day, standing, stopped
from billing.queries.operations.work import WorkFilter, count_open_work, list_work
from billing.queries.rate import lines
from billing.queue.names import TICKS
from billing.views.console.charts import Bar, pairs
from billing.views.console.rendering import page

_DAYS = 14
_KEPT_S, _OVER_KEPT_S = 30.0, 600.0
"""The sums of today, and of a day that is over, are read again after so long (wall seconds)."""
_LATE_TICKS = 5
_NEWEST = 5


def add_today(door: Blueprint, parts: Parts) -> None:
    """`/console/`."""
    days = _Days(parts)

    @door.get("/")
    def today() -> Response:
        samples = measure(parts)
        with parts.begin() as session:
            now, wall = parts.clock.now(session), wall_now(session)
            facts: dict[str, Any] = {
                "due": standing(session, now=now),
                "failing": failing(session),
                "given_up": given_up(session),
                "stopped": stopped(session),
                "away": [line for line in lines(session) if line.tripped],
                "work": count_open_work(session),
                "newest": list_work(session, WorkFilter(statuses=(WorkItemStatus.OPEN,)), limit=_NEWEST),
                "beats": beats(session, [tick.name for tick in TICKS if not _is_off(parts, tick.name)]),
                "audit": gauge(session),
            }
        late_s = max(parts.settings.tick_s * _LATE_TICKS, 10)
        facts["late_beats"] = [
            beat for beat in facts["beats"] if beat["age_s"] is None or beat["age_s"] > late_s + _slow(beat["tick"])
        ]
        money = days.until(now.date())
        return page(
            "today.html", title="Today", now=now, wall=wall, sandbox=parts.settings.billing_sandbox, **facts,
            told_of_line=told_of_line, numbers=_by_name(samples), money=_today(money, now.date()),
            charts=[] if "poll" in request.args else _charts(money, now.date()), too_much=money is None,
            most_things=standings.MOST, most_items=items.MOST,
        )  # fmt: skip


def _is_off(parts: Parts, tick: str) -> bool:
    """Audits that a setting switched off are not late."""
    every_s = {"audit.tick": parts.settings.audit_every_s, "audit.whole": parts.settings.audit_whole_every_s}
    return every_s.get(tick) == 0


def _slow(tick: str) -> float:
    """Ticks whose work is a whole day's may take longer."""
    return 7200 if tick in ("audit.whole", "audit.tick", "reconcile.tick", "inbox.backfill") else 0


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of one day, by currency; None where there was too much. `over`: the day was over when they were read."""

    read_at: float
    over: bool
    rows: list[Facts] | None

    def serve(self, *, over: bool) -> bool:
        """Whether they may still be shown."""
        life_s = _KEPT_S if self.rows is None or not over else _OVER_KEPT_S
        return self.over is over and time.monotonic() - self.read_at <= life_s


class _Days:
    """Sums of the last days, each read alone and kept: this page asks again and again, in many browsers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._kept: dict[date, _Sums] = {}

    def until(self, last: date) -> list[Facts] | None:
        """Days up to this one; None where one has too much to sum up."""
        days = [last - timedelta(days=back) for back in reversed(range(_DAYS))]
        with self._lock:
            self._kept = {day: self._of(day, over=day < last) for day in days}
            found = [self._kept[day].rows for day in days]
        known = [rows for rows in found if rows is not None]
        return [row for rows in known for row in rows] if len(known) == len(found) else None

    def _of(self, day: date, *, over: bool) -> _Sums:
        kept = self._kept.get(day)
        if kept is not None and kept.serve(over=over):
            return kept
        return _Sums(time.monotonic(), over, self._read(day))

    def _read(self, day: date) -> list[Facts] | None:
        try:
            with self._parts.begin() as session:
                return money_by_day(session, since=day, until=day)
        except OperationalError:
            return None


def _today(rows: list[Facts] | None, day: date) -> list[Facts]:
    return [row for row in rows or () if row["day"] == day]


def _charts(rows: list[Facts] | None, last: date) -> list[dict[str, Any]]:
    """One chart a currency of the days up to `last`, the one with most in it first."""
    if not rows:
        return []
    by_currency: dict[str, list[Facts]] = defaultdict(list)
    for row in rows:
        by_currency[row["currency"]].append(row)
    days = [last - timedelta(days=back) for back in reversed(range(_DAYS))]
    made = []
    for currency, own in sorted(by_currency.items(), key=lambda each: -sum(row["billed_minor"] for row in each[1])):
        known = {row["day"]: row for row in own}
        bars = [
            Bar(f"{day:%m-%d}", known[day]["billed_minor"], known[day]["collected_minor"])
            if day in known
            else Bar(f"{day:%m-%d}", 0, 0)
            for day in days
        ]
        name = f"Billed and collected in {currency.upper()}, the last {_DAYS} days"
        image = pairs(bars, name=name, first="billed", second="collected")
        made.append({"currency": currency, "name": name, "image": image, "rows": own})
    return made


def _by_name(samples: list[Sample]) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        found[sample.name].append(sample)
    return found
