"""A company that sells in dollars by an account at Stripe whose balance is in euros, and what its books must be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import text

from billing.flows import movements, reconciliation
from billing.flows.rates import read_rates
from billing.models import Invoice
from tests.flows.company import START, Company
from tests.flows.life import Published

PRICE = 1190
"""10.00 USD and 19 %."""


def at(acme: Company, rate: float) -> None:
    """From now on a dollar brings so many euros, and costs as many."""
    acme.witness.call("POST", "config", {"settlement": {"eur": {"usd": rate}}})


def in_dollars(acme: Company, *accounts: str, rate: float = 0.9) -> list[Invoice]:
    """Each customer has paid 11.90 USD at this rate, and the balance was read: 10.71 EUR, less 0.61 for Stripe."""
    acme.parts = replace(acme.parts, rates=Published())
    read_rates(acme.parts)
    acme.price("dollar", 1000, currency="usd")
    at(acme, rate)
    for account in accounts:
        acme.customer(account)
        acme.subscribe(account, f"of-{account}", price="dollar")
        acme.settle()
    movements.sweep(acme.parts)
    acme.set_clock(START + timedelta(hours=2))
    read_balance(acme)
    return [each for each in acme.invoices() if each.status == "paid"]


def read_balance(acme: Company) -> None:
    """All comes to rest, and the next hour's reading of the balance is over."""
    acme.settle()
    acme.set_clock(acme.now() + timedelta(hours=1, minutes=1))
    movements.sweep(acme.parts)
    acme.settle()


def stands(acme: Company, *accounts: str) -> dict[tuple[str, str], int]:
    """What is on these accounts by currency, where it isn't 0."""
    query = """
        SELECT account, currency, sum(amount_minor)::bigint FROM billing.posting WHERE account = ANY(:accounts)
        GROUP BY 1, 2 HAVING sum(amount_minor) <> 0"""
    with acme.begin() as session:
        rows = session.execute(text(query), {"accounts": list(accounts)})
        return {(account, currency): amount for account, currency, amount in rows}


def balance(acme: Company) -> dict[str, int]:
    """What stands at Stripe, by currency: net of fees, and of what went to the bank."""
    found: dict[str, int] = {}
    span = {"created_from": START - timedelta(days=1), "created_to": acme.now() + timedelta(days=1)}
    for page in acme.parts.provider(acme.account_id).movement_pages(**span):
        for each in page:
            found[each.currency] = found.get(each.currency, 0) + each.amount_minor - each.fee_minor
    return {currency: amount for currency, amount in found.items() if amount}


def off(acme: Company) -> list[object]:
    """What the books hold at Stripe beside what is there, what the comparison finds, and what the audit does."""
    held = {currency: amount for (_, currency), amount in stands(acme, "provider_clearing").items()}
    differs: list[object] = [] if held == balance(acme) else [("clearing", held, balance(acme))]
    found = [each for each in reconciliation.reconcile(acme.parts) if each.differences]
    return [*differs, *found, *acme.violations()]
