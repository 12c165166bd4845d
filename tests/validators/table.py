"""What tables of refusals share: a good price, a moment, and what is found wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.kernel.errors import Refused
from billing.validators.price import NewPrice

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PRICE = NewPrice(code="basic", product_code="basic", currency="eur", unit_amount=Decimal(1000), interval_unit="month")

Case = tuple[dict[str, Any], list[tuple[str, str]]]
"""What is changed of a good one, and the field and code of each fault."""


def faults_of(check: Callable[[], None]) -> list[tuple[str, str]]:
    """Field and code of each fault; none where it is let through."""
    try:
        check()
    except Refused as refusal:
        return [(fault.field, fault.code) for fault in refusal.faults]
    return []
