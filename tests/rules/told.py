"""Lines as their document keeps them, to be explained."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.rules.explain import LineAccount
from billing.rules.lines import How, Priced

JUNE, JULY = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)


def stored(how: How) -> dict[str, Any]:
    """As it comes back from the database."""
    read: dict[str, Any] = json.loads(json.dumps(how))
    return read


def line(made: Priced, *, kind: str = "usage", name: str = "API calls", **facts: Any) -> LineAccount:
    known: dict[str, Any] = {
        "kind": kind,
        "description": name,
        "amount_minor": made.amount_minor,
        "discount_minor": 0,
        "tax_percent": Decimal("19.0000"),
        "tax_inclusive": False,
        "tax_code": "domestic",
        "period_start": JUNE,
        "period_end": JULY,
        "how": stored(made.how),
    }
    return LineAccount(**known | facts)
