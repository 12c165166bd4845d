"""A small right file to import, what was written of it, and the faults of a wrong one."""

from __future__ import annotations

import json

from sqlalchemy import func, select

from billing.models import (
    PaymentMethod,
    Price,
    Product,
    Profile,
    ProviderCustomer,
    Seller,
    Subscription,
    SubscriptionItem,
    TaxRate,
)
from billing.ops.importing import import_file
from tests.ops.conftest import Desk

NOUNS = (Seller, TaxRate, Product, Price, Profile, ProviderCustomer, PaymentMethod, Subscription, SubscriptionItem)

GOOD = """
sellers:
  - {code: NORD, legal_name: Nordlicht GmbH, country: DE, currency: eur, next_number: 7}
tax_rates:
  - {name: standard, percent: "19", countries: {FR: "20"}}
products:
  - {code: basic, name: Basic}
prices:
  - {code: basic-month, product: basic, currency: eur, unit_amount: 1000, interval: month, tax_rate: standard}
customers:
  - account_id: acct-1
    name: Anna Beispiel
    email: anna@example.com
    country: DE
    address: {line1: Beispielweg 1, city: Musterstadt, postal_code: 10115}
    provider_payment_method_id: pm_card_visa
    consent_at: 2025-12-01
  - {account_id: acct-2, name: Élodie Exemple, country: FR}
subscriptions:
  - {code: sub-1, customer: acct-1, items: [{price: basic-month, quantity: 2}], start: 2026-01-31}
  - {code: sub-2, customer: acct-2, items: [{price: basic-month}], anchor: 2025-01-15, paid_through: 2026-01-15}
"""


def counts(desk: Desk) -> dict[str, int]:
    """Rows by table."""
    with desk.new_session() as session:
        return {
            noun.__tablename__: session.scalar(select(func.count()).select_from(noun)) or 0  # type: ignore[attr-defined]
            for noun in NOUNS
        }


def faults_of(desk: Desk, text: str, name: str = "a.yaml") -> list[tuple[int, str, str]]:
    """Line, field and code of each fault; nothing is written."""
    result = desk.run(import_file, desk.write(name, text), "--json")
    assert result.exit_code == 3, result.output
    assert sum(counts(desk).values()) == 0
    return [(each["line"], each["field"], each["code"]) for each in json.loads(result.stdout)["faults"]]
