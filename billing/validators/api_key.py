"""What a key of the HTTP API must be: a name, and what it may do."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from billing.validators.checks import Checks


class Scope(StrEnum):
    """What a key may do. Each is given by name; none includes another."""

    READ = "read"
    """Look at everything of its seller that the API shows, but for what the last two are for."""
    WRITE = "write"
    """Customers, payment methods, subscriptions, usage."""
    CATALOG = "catalog"
    """Products, prices, coupons."""
    MONEY = "money"
    """Credit, charges beside subscriptions, refunds, credit notes, and what corrects an invoice."""
    OPERATE = "operate"
    """Work items, endpoints, brakes, attempts and provider events that wait; forgetting a person."""
    BOOKS = "books"
    """Reports, the trial balance, closing a month."""
    PERSONAL = "personal:read"
    """Names and addresses: of customers, on documents, in bodies of provider events. Each look stands in the trail."""


def check_new_key(name: str, scopes: Sequence[str]) -> None:
    """Raise `Refused` with every fault."""
    checks = Checks()
    checks.text("name", name, most=100)
    if not scopes:
        checks.fault("scopes", "missing", f"give one or more of {', '.join(Scope)}")
    for scope in scopes:
        checks.one_of("scopes", scope, tuple(Scope))
    checks.done()
