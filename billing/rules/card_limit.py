"""Card networks' limits: how often a card that keeps being declined may be tried, whichever invoice asks.

Networks fine merchants that repeat beyond them. Counted are tries that were sent and brought no money; approved ones
are as many as the customer wants. Numbers and sources: docs/dunning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` tries within any span of `within`."""

    most: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Sent:
    """One try of a card that brought no money: when it was first sent, and whether its answer is still to come."""

    at: datetime
    answered: bool


_VISA = (Limit(15, timedelta(days=30)),)
_MASTERCARD = (Limit(10, timedelta(hours=24)), Limit(35, timedelta(days=30)))
_LIMITS = {"visa": _VISA, "mastercard": _MASTERCARD}

LONGEST = timedelta(days=30)
"""Older tries count for no network."""
MOST = 35
"""So many of the latest tries decide, whatever the network."""
UNANSWERED = timedelta(hours=1)
"""How long a retry waits for the answers of others of its card, where they alone forbid it."""


def limits_of(brand: str | None) -> tuple[Limit, ...]:
    """A network without a published number is held to Visa's, the strictest over 30 days."""
    return _LIMITS.get(brand or "", _VISA)


def allowed_from(brand: str | None, sent: Sequence[Sent], *, now: datetime) -> datetime | None:
    """From when one more try of the card is allowed; None: now. `sent` is in any order.

    Tries whose answer is still to come may bring money: where only they forbid it, it is looked at again soon.
    """
    answered = [each.at for each in sent if each.answered]
    by_answers = _free_at(brand, answered, now)
    if by_answers is not None:
        return by_answers
    return None if _free_at(brand, [each.at for each in sent], now) is None else now + UNANSWERED


def _free_at(brand: str | None, tries: Sequence[datetime], now: datetime) -> datetime | None:
    newest_first = sorted(tries, reverse=True)
    free: datetime | None = None
    for limit in limits_of(brand):
        inside = [at for at in newest_first if at > now - limit.within]
        if len(inside) >= limit.most:
            leaves = inside[limit.most - 1] + limit.within
            free = leaves if free is None else max(free, leaves)
    return free
