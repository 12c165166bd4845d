"""What a usage record must be: how much of which price, when, under an id of the host's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.validators.checks import Checks, decimals

MOST_RECORDS = 10_000
MOST_QUANTITY = Decimal(10) ** 15
MOST_DECIMALS = 30
MOST_RECORD_ID = 200


@dataclass(frozen=True, slots=True)
class NewUsage:
    """One record of a subscription, by its code. `record_id` is unique in the subscription: a repeat is ignored.

    `used_at` None: now.
    """

    subscription: str
    price_code: str
    record_id: str
    quantity: Decimal
    used_at: datetime | None = None


def check_quantity(checks: Checks, field: str, quantity: Decimal) -> None:
    """An exact number from 0."""
    if not quantity.is_finite():
        checks.fault(field, "not_a_number", "give a decimal number")
    elif not 0 <= quantity < MOST_QUANTITY:
        checks.fault(field, "out_of_range", "give a number from 0, less than 10^15")
    elif decimals(quantity) > MOST_DECIMALS:
        checks.fault(field, "too_precise", f"at most {MOST_DECIMALS} decimal places")


def check_new_usage(new: Sequence[NewUsage]) -> None:
    """Raise `Refused` with every fault of a batch, named `records.N.field`, N from 1."""
    checks = Checks()
    if not 1 <= len(new) <= MOST_RECORDS:
        checks.fault("records", "out_of_range", f"give 1 to {MOST_RECORDS} records a call")
        checks.done()
    for place, each in enumerate(new, start=1):
        check_quantity(checks, f"records.{place}.quantity", each.quantity)
        if not 1 <= len(each.record_id) <= MOST_RECORD_ID:
            checks.fault(f"records.{place}.id", "out_of_range", f"give an id of up to {MOST_RECORD_ID} characters")
        for field, text in (("id", each.record_id), ("subscription", each.subscription), ("price", each.price_code)):
            checks.storable(f"records.{place}.{field}", text)
        if each.used_at is not None:
            checks.instant(f"records.{place}.timestamp", each.used_at)
    checks.done()
