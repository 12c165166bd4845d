"""An invoice that lacks what the law asks for waits without a number, and is issued once the fact is there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, text

from billing.flows import drafts, renewal
from billing.flows.charging import charge_once
from billing.kernel.errors import Refused
from billing.models import Invoice, Seller, WorkItem
from tests.flows.company import Company


def _change_seller(acme: Company, **values: Any) -> None:
    with acme.parts.begin() as session:
        seller = session.scalars(select(Seller)).one()
        for name, value in values.items():
            setattr(seller, name, value)


def _bill(acme: Company) -> None:
    renewal.plan(acme.parts)
    acme.run_messages()


def _invoices(acme: Company) -> list[Invoice]:
    with acme.parts.begin() as session:
        return list(session.scalars(select(Invoice).order_by(Invoice.id)))


def _items(acme: Company) -> list[WorkItem]:
    with acme.parts.begin() as session:
        return list(session.scalars(select(WorkItem).order_by(WorkItem.id)))


def test_an_incomplete_invoice_waits_alone_and_is_issued_when_the_fact_is_entered(acme: Company) -> None:
    for account in ("a1", "a2"):
        acme.customer(account)
        acme.subscribe(account, f"s-{account}")
    _change_seller(acme, tax_id=None)
    _bill(acme)
    waiting = _invoices(acme)
    assert [(each.status, each.number) for each in waiting] == [("draft", None), ("draft", None)]
    kind, error = {(item.kind, item.error) for item in _items(acme)}.pop()
    assert kind == "invoice_incomplete"
    assert error is not None
    assert error.startswith("seller.tax_id (art. 226 (3)): ")
    # Nothing has changed: they wait on, under the same items.
    assert drafts.sweep(acme.parts) == 0
    _change_seller(acme, tax_id="DE136695976")
    assert drafts.sweep(acme.parts) == 2
    acme.settle()
    assert {(each.status, each.hold_id) for each in _invoices(acme)} == {("paid", None)}
    assert {item.status for item in _items(acme)} == {"resolved"}
    assert acme.violations() == ()


def _bill_by_structured_invoice(acme: Company, *accounts: str, businesses: list[str]) -> None:
    """In 2027, when Germany wants one of a large seller's businesses, and no transport is set up."""
    for account in accounts:
        acme.customer(account)
        acme.subscribe(account, f"s-{account}", start=datetime(2027, 1, 1, tzinfo=UTC))
    those = text("UPDATE billing.profile SET buyer_kind = 'business' WHERE account_id = ANY(:those)")
    with acme.parts.begin() as session:
        session.execute(those, {"those": businesses})
    _change_seller(acme, e_invoices="large")
    acme.set_clock(datetime(2027, 1, 1, tzinfo=UTC))
    _bill(acme)


def test_where_the_law_wants_a_structured_invoice_it_waits_for_a_transport(acme: Company) -> None:
    _bill_by_structured_invoice(acme, "a1", "a2", businesses=["a1"])
    # A consumer's invoice is not meant, and goes on.
    assert sorted(each.status == "draft" for each in _invoices(acme)) == [False, True]
    (item,) = _items(acme)
    assert (item.kind, item.amount_minor) == ("e_invoice_required", 1190)
    assert "UStG § 14" in str(item.error)
    carried = replace(acme.parts, settings=acme.parts.settings.model_copy(update={"billing_e_invoice_countries": "DE"}))
    assert drafts.sweep(carried) == 1
    assert all(each.number for each in _invoices(acme))


def test_drafts_that_lack_something_for_long_keep_no_other_from_being_issued(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "PAGE", 2)
    _bill_by_structured_invoice(acme, "a1", "a2", "a3", businesses=["a1", "a2", "a3"])
    assert drafts.sweep(acme.parts) == 0
    last = {"id": max(_items(acme), key=lambda item: item.id).subject_id}
    meant = "SELECT profile_id FROM billing.invoice WHERE id = :id"
    with acme.parts.begin() as session:
        session.execute(text(f"UPDATE billing.profile SET buyer_kind = 'consumer' WHERE id = ({meant})"), last)
    assert [drafts.sweep(acme.parts) for _ in range(2)] in ([0, 1], [1, 0])
    assert [each.id for each in _invoices(acme) if each.number] == [last["id"]]


def test_what_a_person_orders_at_once_is_refused_with_the_missing_fact(acme: Company) -> None:
    profile_id = acme.customer("a1")
    _change_seller(acme, address={})
    with acme.parts.begin() as session, pytest.raises(Refused) as refused:
        charge_once(acme.parts, session, profile_id, amount_minor=500, currency="eur", description="x", tax_rate=None)
    assert refused.value.code == "invoice_incomplete"
    assert "seller.line1" in refused.value.faults[0].mend
