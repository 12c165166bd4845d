"""Money kept apart: 5.00 paid in the dashboard, for an invoice of 11.90; what is held of it, and where."""

from __future__ import annotations

from uuid import UUID

import requests
from sqlalchemy import select

from billing.flows.order import Order
from billing.models import Invoice, UnappliedPayment, WorkItem
from tests.flows.company import Company

WHY = Order(actor="mara", reason="looked at in the dashboard")
DASHBOARD = {"Authorization": "Bearer sk_test_company"}


def declined(acme: Company) -> UUID:
    """A customer whose first try was declined, and whose intent somebody lowers to 5.00 in the dashboard."""
    profile = acme.customer("a1", method="pm_card_chargeDeclined")
    acme.subscribe("a1", "s1")
    acme.settle()
    lower_in_dashboard(acme)
    return profile


def lower_in_dashboard(acme: Company) -> None:
    """Somebody lowers the one intent to 5.00."""
    (intent,) = acme.witness.intents()
    url = f"{acme.witness_url}/v1/payment_intents/{intent.intent_ref}"
    requests.post(url, data={"amount": "500"}, headers=DASHBOARD, timeout=5).raise_for_status()


def stray(acme: Company, *, card: str = "pm_card_visa") -> UnappliedPayment:
    """Those 5.00 are paid in the dashboard, for an invoice of 11.90 that stays open."""
    acme.pay_behind_our_back(declined(acme), card=card)
    acme.settle()
    with acme.begin() as session:
        return session.scalars(select(UnappliedPayment)).one()


def item_of(acme: Company) -> WorkItem:
    """The live item of what is kept apart."""
    (item,) = [each for each in acme.work_items() if each.kind == "payment_unapplied" and each.closed_at is None]
    return item


def kept(acme: Company) -> list[tuple[int, str, str]]:
    """What is kept apart: amount, currency, status."""
    with acme.begin() as session:
        rows = session.scalars(select(UnappliedPayment).order_by(UnappliedPayment.id)).all()
        return [(each.amount_minor, each.currency, each.status) for each in rows]


def invoice_of(acme: Company) -> Invoice:
    """The customer's one invoice; a cancellation may follow it."""
    return acme.invoices()[0]


def refund_in_dashboard(acme: Company, charge_ref: str, amount: int) -> None:
    """Somebody sends a part of it back in the provider's dashboard."""
    given = {"charge": charge_ref, "amount": str(amount)}
    requests.post(f"{acme.witness_url}/v1/refunds", data=given, headers=DASHBOARD, timeout=5).raise_for_status()


def held(acme: Company) -> tuple[int, int, int]:
    """Kept apart, on its way back, and what the provider holds."""
    return -acme.account("unapplied_payments"), -acme.account("refunds_in_flight"), acme.account("provider_clearing")


def accused(acme: Company) -> list[str]:
    """What the audit finds, but for the requests that somebody made in the dashboard, which have no key."""
    return [f"{each.code} {each.detail}" for each in acme.violations() if "no key" not in each.detail]


def lose(acme: Company, charge_ref: str, **given: object) -> str:
    """A dispute of it is lost. Returns the provider's id of it."""
    ref = acme.witness.call("POST", "disputes", {"charge": charge_ref, **given})["id"]
    acme.settle()
    end(acme, ref, "lost")
    return str(ref)


def end(acme: Company, ref: str, status: str) -> None:
    acme.witness.call("POST", f"disputes/{ref}/close", {"status": status})
    acme.settle()
