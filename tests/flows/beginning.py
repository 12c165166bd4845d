"""Subscriptions that wait for their first payment."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from billing.flows import audit, subscribing
from billing.models import OutboxEvent
from billing.validators.subscription import NewItem, NewSubscription
from tests.flows.company import START, Company

DECLINED = "pm_card_chargeCustomerFail"


def begin(acme: Company, method: str | None, *, account: str = "a1") -> UUID:
    acme.customer(account, method=method)
    new = NewSubscription(
        code=f"s-{account}", account_id=account, items=(NewItem("basic"),), start=START, first_payment=True
    )
    made = subscribing.subscribe(acme.parts, seller_id=acme.seller_id, new=new)
    assert made.invoices == ()
    return made.subscription_id


def topics(acme: Company) -> set[str]:
    with acme.begin() as session:
        return set(session.scalars(select(OutboxEvent.topic)))


def holds(acme: Company) -> None:
    assert audit.run(acme.parts, witness=acme.witness).violations == ()
