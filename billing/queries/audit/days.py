"""Days: a share that is counted in days takes the local dates of its zone, counted anew from its four moments.

By our own data of the zones, as the bill was made: the server's files may know other rules, or no such zone, and hold a
right bill for a wrong one. Nothing else is shared with the rules that counted first. The zones are read in one pass
over the lines, and the lines in another.
"""

from __future__ import annotations

from collections.abc import Iterator

from billing.db.zones import ZONES, local_date, tables
from billing.kernel.errors import Refused
from billing.kernel.period import zone_info
from billing.queries.audit.invariant import Finding, Reading

_SHARED = """
    SELECT invoice_id, position, (how ->> 'left')::numeric AS left_of, (how ->> 'whole')::numeric AS whole,
           (how ->> 'whole_from')::timestamptz AS whole_from, (how ->> 'whole_to')::timestamptz AS whole_to,
           period_start, period_end, how ->> 'zone' AS zone
    FROM billing.invoice_line WHERE how ? 'proration' AND how ->> 'time_unit' = 'day'
"""

_NAMED = f"""
SELECT zone, coalesce(min(min(least(whole_from, period_start))) OVER (), :now) AS first,
       coalesce(max(max(greatest(whole_to, period_end))) OVER (), :now) AS last
FROM ({_SHARED}) shared GROUP BY zone
"""  # noqa: S608 (our own text)

# A later instant may bear an earlier date, where clocks went back over midnight. What bears none can't be counted.
# `OFFSET 0` keeps the steps apart, so that each is taken once a line.
_OTHER_DAYS = f"""
WITH {ZONES}, dated AS (
    SELECT shared.*, {local_date("whole_from", "z")} AS first, {local_date("whole_to", "z")} AS last,
           {local_date("period_start", "z")} AS begins, {local_date("period_end", "z")} AS ends
    FROM ({_SHARED} OFFSET 0) shared LEFT JOIN zones z ON z.name = shared.zone OFFSET 0
), counted AS (
    SELECT *, CASE WHEN num_nulls(first, last, begins, ends) = 0
                   THEN ARRAY[least(greatest(ends - begins, 0), greatest(last - first, 0)), greatest(last - first, 0)]
              END AS days
    FROM dated OFFSET 0
)
SELECT 'invoice', invoice_id, format('line %s takes %s of %s days, from %s to %s of %s to %s, which by %s %s', position,
                                     left_of, whole, period_start, period_end, whole_from, whole_to,
                                     coalesce(zone, 'no zone'),
                                     coalesce('are ' || days[1] || ' of ' || days[2], 'can''t be counted'))
FROM counted
WHERE ARRAY[left_of, whole] IS DISTINCT FROM days::numeric[]
"""  # noqa: S608 (our own text)


def miscounted_days(reading: Reading) -> Iterator[Finding]:
    """Accuse each line that takes another number of days than lie between its moments."""
    named = list(reading.read(_NAMED))
    if not named:
        return
    known = [row.zone for row in named if _is_known(row.zone)]
    for row in reading.read(_OTHER_DAYS, zones=tables(known, first=named[0].first.year, last=named[0].last.year)):
        yield Finding(*map(str, row))


def _is_known(zone: str | None) -> bool:
    try:
        return zone is not None and bool(zone_info(zone))
    except Refused:
        return False
