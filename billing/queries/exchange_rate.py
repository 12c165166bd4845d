"""Exchange rates of a day, or of the last day of publication before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.rules.national import OLDEST_DAYS

_RATES = text(
    """
    SELECT day, currency, per_euro FROM billing.exchange_rate
    WHERE source = :source AND currency = ANY(:currencies) AND day > :oldest AND day <= :day
    """
)


def rates_by_day(
    session: Session, *, source: str, currencies: Collection[str], day: date
) -> dict[date, dict[str, Decimal]]:
    """Rates for one euro of these currencies by day of publication, newest first, none older than a week."""
    values = {"source": source, "currencies": list(currencies), "day": day, "oldest": day - timedelta(days=OLDEST_DAYS)}
    found: dict[date, dict[str, Decimal]] = defaultdict(dict)
    for row in session.execute(_RATES, values):
        found[row.day][row.currency] = row.per_euro
    return dict(sorted(found.items(), reverse=True))
