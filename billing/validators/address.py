"""Postal addresses: the lines that a document's parties bear."""

from __future__ import annotations

from dataclasses import dataclass

from billing.validators.checks import Checks


@dataclass(frozen=True, slots=True)
class Address:
    """Lines of an address; absent ones are empty text. The country stands beside it, on whom it belongs to."""

    line1: str = ""
    line2: str = ""
    city: str = ""
    postal_code: str = ""
    region: str = ""

    def within(self, country: str) -> dict[str, str]:
        """The lines and the country, as they are stored and as documents show them."""
        return {
            "line1": self.line1,
            "line2": self.line2,
            "city": self.city,
            "postal_code": self.postal_code,
            "region": self.region,
            "country": country,
        }


def check_address(checks: Checks, address: Address) -> None:
    """Note the faults of an address. Everything is optional here: which parts a document needs, its country says."""
    checks.optional_text("address.line1", address.line1, most=200)
    checks.optional_text("address.line2", address.line2, most=200)
    checks.optional_text("address.city", address.city, most=100)
    checks.optional_text("address.postal_code", address.postal_code, most=20)
    checks.optional_text("address.region", address.region, most=100)
