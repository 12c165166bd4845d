"""Take back: a credit takes what is still deferred of its line before it takes what is revenue (DECISIONS 31)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.revenue.dates import cut
from billing.db.copy import array, instants
from billing.kernel.money import share
from billing.kernel.period import midnight, zone_info


@dataclass(frozen=True, slots=True)
class Credit:
    """So much (minor units, without tax) of one line, or of a whole document, is given back.

    Below 0 where a document's lines take off more than they charge and only its tax brings it above nothing: then no
    line is touched, and revenue rises.

    `stops_at`: the line's service ends here; None where it goes on.
    """

    amount_minor: int
    line_id: UUID | None = None
    invoice_id: UUID | None = None
    stops_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """Where a credit was taken from, in all and by line: (line, deferred, recognised).

    A line of a draft holds nothing yet: all of it is taken from revenue, until its document is issued (`write_books`).
    """

    deferred_minor: int
    recognised_minor: int
    lines: tuple[tuple[UUID, int, int], ...]


@dataclass(slots=True)
class _Line:
    """A locked schedule, and what the credits of this transaction leave of it."""

    row: Any
    net: int
    credited: int
    recognised: int
    ends_on: date

    def day(self, at: datetime) -> date:
        """The date that an instant bears in the seller's zone."""
        return at.astimezone(zone_info(self.row.timezone)).date()

    @property
    def deferred(self) -> int:
        return max(self.net - self.credited - self.recognised, 0)

    def take(self, deferred: int, recognised: int) -> tuple[UUID, int, int]:
        self.credited += deferred + recognised
        self.recognised -= recognised
        return self.row.id, deferred, recognised


_LOCK = text(
    """
    SELECT r.id, r.invoice_id, r.net_minor, r.credited_minor, r.recognised_minor, r.starts_on, r.ends_on, s.timezone
    FROM billing.revenue_schedule r
    JOIN billing.seller s ON s.id = r.seller_id
    WHERE r.id = ANY(CAST(:lines AS uuid[])
                     || ARRAY(SELECT id FROM billing.invoice_line WHERE invoice_id = ANY(CAST(:invoices AS uuid[]))))
    ORDER BY r.id FOR UPDATE OF r
    """
)

_WRITE = text(
    f"""
    UPDATE billing.revenue_schedule r
    SET credited_minor = c.credited, recognised_minor = c.recognised, base_minor = c.recognised, base_on = r.open_on,
        ends_on = c.ends_on, cuts = CASE WHEN c.ends_on < r.ends_on THEN {cut("c.today")} ELSE r.cuts END,
        next_on = CASE WHEN c.recognised = r.net_minor - c.credited THEN NULL
                       WHEN c.ends_on <= c.today THEN greatest(c.today, r.issued_on)
                       ELSE least(r.next_on, greatest(c.ends_on - 1, r.starts_on)) END,
        next_at = CASE WHEN c.recognised = r.net_minor - c.credited THEN NULL
                       WHEN c.ends_on <= c.today THEN CAST(:now AS timestamptz)
                       ELSE least(r.next_at, c.over_at) END,
        version = r.version + 1, updated_at = clock_timestamp()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:credited AS bigint[]), CAST(:recognised AS bigint[]), CAST(:ends AS date[]),
                CAST(:overs AS timestamptz[]), CAST(:todays AS date[]))
         AS c(id, credited, recognised, ends_on, over_at, today)
    WHERE r.id = c.id
    """  # noqa: S608 (our own expression)
)


def take_back(session: Session, credits_: Sequence[Credit], *, now: datetime) -> list[Taken]:
    """Take the credits in the order given, lock and write their lines, and say where each was taken from.

    What no line holds any more (a cent that rounding left over, a line credited before) lowers revenue.
    """
    if not credits_:
        return []
    lines = _locked(session, credits_)
    taken = [_taken(lines, credit) for credit in credits_]
    _write(session, lines.values(), now)
    return taken


def _locked(session: Session, credits_: Sequence[Credit]) -> dict[UUID, _Line]:
    values = {
        "lines": array(each.line_id for each in credits_ if each.line_id),
        "invoices": array(each.invoice_id for each in credits_ if each.invoice_id and not each.line_id),
    }
    rows = session.execute(_LOCK, values)
    return {row.id: _Line(row, row.net_minor, row.credited_minor, row.recognised_minor, row.ends_on) for row in rows}


def _taken(lines: dict[UUID, _Line], credit: Credit) -> Taken:
    of = list(_of(lines, credit))
    most = max(credit.amount_minor, 0)
    if credit.line_id is not None and not of and most:
        return Taken(0, most, ((credit.line_id, 0, most),))
    deferred = min(most, sum(line.deferred for line in of))
    recognised = min(most - deferred, sum(max(line.recognised, 0) for line in of))
    from_deferred = share(deferred, [line.deferred for line in of]) if deferred else [0] * len(of)
    from_recognised = share(recognised, [max(line.recognised, 0) for line in of]) if recognised else [0] * len(of)
    moves = [line.take(part, other) for line, part, other in zip(of, from_deferred, from_recognised, strict=True)]
    for line in of:
        if credit.stops_at is not None:
            line.ends_on = min(line.ends_on, max(line.day(credit.stops_at), line.row.starts_on))
    return Taken(deferred, credit.amount_minor - deferred, tuple(move for move in moves if move[1] or move[2]))


def _of(lines: dict[UUID, _Line], credit: Credit) -> Iterator[_Line]:
    """The line that the credit names, or all of the document's that are for something."""
    if credit.line_id is not None:
        if credit.line_id in lines:
            yield lines[credit.line_id]
        return
    yield from (line for line in lines.values() if line.row.invoice_id == credit.invoice_id and line.net > 0)


def _write(session: Session, lines: Iterable[_Line], now: datetime) -> None:
    changed = [line for line in lines if line.credited != line.row.credited_minor or line.ends_on != line.row.ends_on]
    if changed:
        session.execute(
            _WRITE,
            {
                "now": now,
                "ids": array(line.row.id for line in changed),
                "credited": array(line.credited for line in changed),
                "recognised": array(line.recognised for line in changed),
                "ends": array(line.ends_on for line in changed),
                "overs": instants(
                    midnight(max(line.ends_on, line.row.starts_on), line.row.timezone) for line in changed
                ),
                "todays": array(line.day(now) for line in changed),
            },
        )
