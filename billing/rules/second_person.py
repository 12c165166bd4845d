"""From which amount on an order of the console needs a second person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from billing.kernel.errors import Fault, Refused
from billing.kernel.money import exponent

_FIELD = "BILLING_SECOND_PERSON_ABOVE"
_MEND = "give an amount in main units, and others by currency where it is wrong for them: 500,jpy:75000"


@dataclass(frozen=True, slots=True)
class Limits:
    """In main units: `general`, and others by currency."""

    general: Decimal
    by_currency: Mapping[str, Decimal]

    @classmethod
    def of(cls, text: str) -> Limits:
        """Read the setting. Raises `Refused` (`invalid_setting`, `unknown_currency`)."""
        general, others = Decimal(0), {}
        for each in filter(None, (part.strip() for part in text.split(","))):
            currency, _, number = each.rpartition(":")
            try:
                amount = Decimal(number)
            except InvalidOperation:
                raise Refused(Fault(_FIELD, "invalid_setting", _MEND)) from None
            if not amount.is_finite() or amount < 0:
                raise Refused(Fault(_FIELD, "invalid_setting", _MEND))
            if currency:
                exponent(currency.lower())
                others[currency.lower()] = amount
            else:
                general = amount
        return cls(general, others)

    def minor(self, currency: str) -> Decimal:
        """The limit of a currency, in its minor units."""
        return self.by_currency.get(currency, self.general) * Decimal(10) ** exponent(currency)


def needs_second(amounts: Mapping[str, int], limits: Limits) -> bool:
    """Whether any of these sums (minor units, by currency) is above its limit."""
    return any(amount > limits.minor(currency) for currency, amount in amounts.items())
