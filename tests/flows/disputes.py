"""What tests of disputes do at the provider, and what they read of it here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import select

from billing.commands.dispute.record import note_dispute
from billing.models import Dispute, Invoice
from tests.flows.company import START, Company


def open_dispute(acme: Company, **given: Any) -> str:
    """A dispute of the one charge. Returns the provider's id of it."""
    (charge,) = acme.witness.charges()
    opened = acme.witness.call("POST", "disputes", {"charge": charge.charge_ref, **given})
    acme.settle()
    return str(opened["id"])


def end(acme: Company, ref: str, status: str) -> None:
    acme.witness.call("POST", f"disputes/{ref}/close", {"status": status})
    acme.settle()


def show(acme: Company, ref: str, **given: Any) -> None:
    """The provider shows the dispute so."""
    facts = replace(acme.parts.provider(acme.account_id).read_dispute(ref), due_by=None, **given)
    with acme.parts.begin() as session:
        row = session.scalars(select(Dispute)).one()
        invoice = session.get_one(Invoice, row.invoice_id)
        note_dispute(session, dispute=row, invoice=invoice, facts=facts, now=START)


def accused(acme: Company) -> list[str]:
    """What the audit finds wrong in the books."""
    return [each.detail for each in acme.violations() if each.code.startswith("L")]


def the_dispute(acme: Company) -> Dispute:
    with acme.begin() as session:
        return session.scalars(select(Dispute)).one()


def books(acme: Company) -> dict[str, int]:
    names = ("provider_clearing", "disputes", "receivable", "write_off", "exchange_differences")
    return {name: amount for name in names if (amount := acme.account(name))}
