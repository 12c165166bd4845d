"""Settings of charging: how much at once, how fast, and from which amount on."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from billing.kernel.errors import Fault, Refused
from billing.kernel.money import exponent
from billing.settings.pace import Paced


class Charged(Paced):
    """What is sent to providers."""

    billing_charge_slice: int = Field(default=100, ge=1, le=1000)
    """Most invoices in one slice of charges."""
    billing_charges_in_flight: int = Field(default=32, ge=1, le=1000)
    """Most calls of one worker that wait for a provider's answer at once."""
    billing_provider_calls_per_s: float | None = Field(default=None, gt=0, le=100_000)
    """What the provider allows an account. Unset: Stripe's 100, in its sandbox 25; for a stand-in 2,000."""
    billing_provider_endpoint_calls_per_s: float | None = Field(default=None, ge=0, le=100_000)
    """What it allows one operation, such as creating intents. Unset: Stripe's 25. 0, and for a stand-in: as many."""
    billing_least_charges: str = Field(
        default="",
        examples=["amounts such as eur:1,usd:0.50"],
        pattern=r"^([a-z]{3}:\d+(\.\d+)?(,[a-z]{3}:\d+(\.\d+)?)*)?$",
    )
    """The least that is charged, in main units (eur:1,usd:0.50), in place of the minimum that the provider publishes.

    What is less is carried forward to the customer's next invoice of that currency; 0 in a currency: all is tried.
    """

    @model_validator(mode="after")
    def _least_charges_are_amounts(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        try:
            _ = self.least_charges
        except Refused as refused:
            raise ValueError(f"BILLING_LEAST_CHARGES: {refused}") from None
        return self

    @property
    def least_charges(self) -> dict[str, int]:
        """By currency, in its minor units. Raises `Refused`: `unknown_currency`, `too_many_decimals`."""
        found: dict[str, int] = {}
        for each in filter(None, self.billing_least_charges.split(",")):
            currency, _, amount = each.partition(":")
            minor = Decimal(amount).scaleb(exponent(currency))
            if minor != int(minor):
                raise Refused(Fault(currency, "too_many_decimals", "give no more decimals than the currency has"))
            found[currency] = int(minor)
        return found
