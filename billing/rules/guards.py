"""Guards: whether a day, a document or a catch-up is so far from what is usual that a person looks first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from billing.kernel.money import format_minor

LEAST_DAYS = 2
"""So many days of the same weekday make a habit; before that nothing is unusual."""
LEAST_DOCUMENTS = 10
"""A day of fewer documents is looked through by eye anyway."""


@dataclass(frozen=True, slots=True)
class Day:
    """What was issued on a day: documents, and their amount in minor units of one currency."""

    documents: int
    amount_minor: int


def whole(day: Mapping[str, Day]) -> Day:
    """All documents of a day, by currency; amounts of several currencies have no sum."""
    return Day(sum(each.documents for each in day.values()), 0)


def unusual_day(today: Day, before: Sequence[Day], *, times: int, currency: str = "") -> str | None:
    """Why `today` is more than `times` the average of the same weekdays before; None where it is not.

    `currency` is that of the amounts; days without amounts have none.
    """
    if len(before) < LEAST_DAYS or today.documents < LEAST_DOCUMENTS:
        return None
    documents = sum(day.documents for day in before)
    amount = sum(day.amount_minor for day in before)
    if today.documents * len(before) > times * documents:
        return f"{today.documents} documents; on {len(before)} such weekdays before it were {documents} together"
    if amount > 0 and today.amount_minor * len(before) > times * amount:
        now, then = format_minor(today.amount_minor, currency), format_minor(amount, currency)
        return f"{now} in all; on {len(before)} such weekdays before it were {then} together"
    return None


def unusual_amount(amount_minor: int, last_minor: int | None, *, times: int) -> bool:
    """Whether a document is above `times` the customer's last one of that currency; a first one never is."""
    return last_minor is not None and last_minor > 0 and amount_minor > times * last_minor
