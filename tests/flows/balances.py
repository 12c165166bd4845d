"""A company whose provider has a balance, and what its books make of that."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from billing.flows import movements
from tests.flows.company import START, Company

FEE = 65
"""2.9 % of 11.90 and 0.30."""


def paid_once(acme: Company) -> Company:
    """One customer paid 11.90, and no event told of the balance; two hours later."""
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1, "type": "charge.updated"})
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    movements.sweep(acme.parts)
    acme.set_clock(START + timedelta(hours=2))
    return acme


def stands(acme: Company) -> dict[str, int]:
    names = ("provider_clearing", "provider_fees", "payouts_in_transit", "bank")
    return {name: acme.account(name) for name in names}


def told_of(acme: Company, type_: str) -> bool:
    with acme.begin() as session:
        query = text("SELECT count(*) FROM billing.provider_event WHERE type = :type")
        return bool(session.execute(query, {"type": type_}).scalar_one())
