"""An invoice of an unpaid subscription that recovers while the invoice is looked at is charged, not left for good."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db.rows import fetch
from billing.flows.external_money import mark_paid
from billing.queries import collection
from billing.validators.seller import SellerPolicy
from tests.flows.company import START, Company, company


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    policy = SellerPolicy(dunning_hours=None, dunning_retries=(), dunning_final="unpaid")
    with company(database_url, policy=policy) as fresh:
        yield fresh


def test_it_is_charged_at_the_moment_that_it_would_have_let_pass(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = acme.customer("a1", method="pm_card_chargeCustomerFail")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(START + timedelta(days=31))
    acme.settle()
    owed, waiting = acme.invoices()
    assert (acme.subscription(owed.subscription_id).status, waiting.on_schedule) == ("unpaid", False)
    acme.give_method(profile, "pm_card_visa")
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.invoice SET next_attempt_at = NULL"))
        mend = "UPDATE billing.invoice SET next_attempt_at = :now, on_schedule = TRUE WHERE id = :id"
        session.execute(text(mend), {"now": acme.now(), "id": waiting.id})

    def fetch_then_paid(session: Session, statement: str, **values: Any) -> Any:
        rows = fetch(session, statement, **values)
        if statement == collection._DUE and rows:
            assert rows[0][-1], "it was unpaid when the invoice was locked"
            monkeypatch.setattr(collection, "fetch", fetch)
            mark_paid(acme.parts, owed.id, reference="bank")
        return rows

    monkeypatch.setattr(collection, "fetch", fetch_then_paid)
    acme.settle()
    assert [(each.status, each.next_attempt_at) for each in acme.invoices()] == [("paid", None), ("paid", None)]
    assert acme.violations() == ()
