"""Proration: the share of a period that is given back, or charged, when something changes inside it.

Source: the scenario contract, rule 5, and rule 1 for the first period before a later anchor. Instants are aware UTC,
`zone` is the customer's IANA zone. Fractions are exact; each line is rounded once, half away from zero.

The account of a line (`How`) holds, beside numerator, denominator and rounding:

| key | says |
| --- | --- |
| proration | "credit" or "charge" |
| base_numerator, base_denominator | what the share is taken of, in minor units |
| kept_numerator, kept_denominator | the part of a credited line's document that was not refunded (credits only) |
| left, whole, time_unit | the share: so many of so many seconds, microseconds or days (local dates of `zone`) |
| whole_from, whole_to, zone | the stretch of time that `whole` counts |

and, of a charge, the keys by which `rules.lines` accounts for the full amount, as far as the caller hands them over.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from billing.kernel.period import zone_info
from billing.rules.lines import How, Priced, settled

_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS = 10**6


class ProrationUnit(StrEnum):
    """What a share of a period counts: exact seconds, or calendar dates in the customer's zone."""

    SECOND = "second"
    DAY = "day"


def span(unit: ProrationUnit, zone: str, start: datetime, end: datetime) -> Fraction:
    """Seconds (a fraction where an instant has one), or local dates, from `start` to `end`; never below 0.

    With `day`, a stretch that begins on the local date on which it ends counts 0. Raises `Refused`
    (`unknown_timezone`).
    """
    if unit is ProrationUnit.SECOND:
        return max(Fraction(0), Fraction((end - start) // _MICROSECOND, _MICROSECONDS))
    info = zone_info(zone)
    return max(Fraction(0), Fraction((end.astimezone(info).date() - start.astimezone(info).date()).days))


def kept_share(*, total_minor: int, refunded_minor: int) -> Fraction:
    """The part of a document that was not refunded: (total - refunded) ÷ total, and 1 where the total is 0."""
    return Fraction(total_minor - refunded_minor, total_minor) if total_minor else Fraction(1)


def prorated_credit(
    *,
    net_minor: int,
    at: datetime,
    line_start: datetime,
    end: datetime,
    unit: ProrationUnit,
    zone: str,
    kept: Fraction = Fraction(1),
) -> Priced:
    """Give back what is unused of a line: -round(net × kept × (end - at) ÷ (end - line_start)), 0 or negative.

    `net_minor` is the line after its share of the discount, `line_start` its own period's start, `kept` what
    `kept_share` says of its document. A line of no time gives back nothing. Raises `Refused` (`unknown_timezone`).
    """
    share, account = _share(at=at, start=line_start, end=end, unit=unit, zone=zone)
    how: How = {
        "proration": "credit",
        "base_numerator": net_minor,
        "base_denominator": 1,
        "kept_numerator": kept.numerator,
        "kept_denominator": kept.denominator,
        **account,
    }
    return settled(-net_minor * kept * share, how)


def prorated_charge(
    *,
    full: Fraction,
    at: datetime,
    full_start: datetime,
    end: datetime,
    unit: ProrationUnit,
    zone: str,
    full_how: How | None = None,
) -> Priced:
    """Charge what is left of a full period: round(full × (end - at) ÷ (end - full_start)).

    `full` is the exact amount of the full period [full_start, end), and `full_how` the account of it. A stub before a
    later anchor is the same: `at` its start, `end` the anchor, `full_start` boundary(-1); so is a change inside a
    stub. A period of no time costs nothing. Raises `Refused` (`unknown_timezone`).
    """
    share, account = _share(at=at, start=full_start, end=end, unit=unit, zone=zone)
    how: How = {
        **(full_how or {}),
        "proration": "charge",
        "base_numerator": full.numerator,
        "base_denominator": full.denominator,
        **account,
    }
    return settled(full * share, how)


def _share(*, at: datetime, start: datetime, end: datetime, unit: ProrationUnit, zone: str) -> tuple[Fraction, How]:
    assert start <= at <= end
    whole = span(unit, zone, start, end)
    # Where clocks went back over midnight a later instant can bear an earlier date: never more than the whole.
    left = min(span(unit, zone, at, end), whole)
    time_unit, scale = unit.value, 1
    if left.denominator != 1 or whole.denominator != 1:
        time_unit, scale = "microsecond", _MICROSECONDS
    account: How = {
        "left": int(left * scale),
        "whole": int(whole * scale),
        "time_unit": time_unit,
        "whole_from": _text(start),
        "whole_to": _text(end),
        "zone": zone,
    }
    return (left / whole if whole else Fraction(0)), account


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
