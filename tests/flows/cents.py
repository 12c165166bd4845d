"""What tests of cents share: a price that is too little to be charged, and what is carried forward of it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from billing.flows.order import Order
from billing.models import CreditBalance, Invoice
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company

ORDER = Order(actor="mara", reason="agreed on the telephone")
MONTHS = [START + timedelta(days=31 * month) for month in range(4)]


def invoices(acme: Company) -> list[Invoice]:
    return [each for each in acme.invoices() if each.kind == "invoice"]


def forwarded(acme: Company) -> int:
    """Which the account in the books shows as well."""
    with acme.begin() as session:
        held = sum(row.carried_forward_minor for row in session.query(CreditBalance))
    assert held == acme.account("carried_forward")
    return held


def small(acme: Company, *, method: str | None = "pm_card_visa", amount: int = 20) -> UUID:
    """A customer whose month costs 24 cents with its tax: the provider charges 50 and more."""
    acme.price("small", amount)
    profile_id = acme.customer("a1", method=method)
    acme.begin_subscription("a1", "s1", NewItem("small"))
    acme.settle()
    return profile_id
