"""What a product must be."""

from __future__ import annotations

from dataclasses import dataclass

from billing.validators.checks import Checks


@dataclass(frozen=True, slots=True)
class NewProduct:
    """What is sold. `name` is what the customer reads on an invoice's line."""

    code: str
    name: str


def check_new_product(new: NewProduct) -> None:
    """Raise `Refused` with every fault of `new`."""
    checks = Checks()
    checks.code("code", new.code)
    checks.text("name", new.name, most=200)
    checks.done()
