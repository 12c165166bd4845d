"""What is carried forward where a customer pays at our page, or begins with a first payment of cents."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.flows import (
    braking,
    customer_page,
    forwarding,
    links,
    on_session,
    subscribing,
)
from billing.flows.parts import Parts
from billing.kernel.errors import Refused
from billing.models import Invoice
from billing.queries.brakes import BrakeKind
from billing.validators.subscription import NewItem, NewSubscription
from tests.flows.cents import ORDER, forwarded, invoices
from tests.flows.company import START, Company


def _by_transfer(acme: Company, price: str, amount: int) -> Invoice:
    acme.price(price, amount)
    acme.customer("a1")
    acme.begin_subscription("a1", "s1", NewItem(price), collection="send_invoice", days_until_due=14)
    return invoices(acme)[0]


def test_who_pays_at_our_page_is_told_that_it_comes_with_the_next_and_pays_the_others(acme: Company) -> None:
    acme.price("small", 20)
    profile_id = acme.customer("a1")
    for code, price in (("s1", "small"), ("s2", "basic")):
        acme.begin_subscription("a1", code, NewItem(price), collection="send_invoice", days_until_due=14)
    small, other = invoices(acme)
    assert on_session.pay(acme.parts, profile_id=profile_id).invoice_id == other.id
    assert [each.status for each in invoices(acme)] == ["paid", "paid"]
    assert (forwarded(acme), [each.amount_minor for each in acme.payments()]) == (24, [1190])
    page = replace(acme.parts, settings=acme.parts.settings.model_copy(update={"billing_public_url": "https://pay.x"}))
    with page.begin() as session:
        token = links.invoice_link(page, session, small.id).rpartition("/")[2]
    shown = customer_page.show(page, token)
    assert (shown.message, [(each.state, each.amount_minor) for each in shown.bills]) == (
        "carried_forward",
        [("paid", 1190), ("carried_forward", 24)],
    )
    with pytest.raises(Refused) as refused:
        on_session.pay(acme.parts, profile_id=profile_id, upto=small.id)
    assert refused.value.code == "nothing_owed"
    assert acme.violations() == ()


def test_a_debt_that_the_books_do_not_confirm_is_not_carried_forward_at_the_page(acme: Company) -> None:
    """11.90 are owed in the books; its row, which something has broken, says 0.10."""
    invoice = _by_transfer(acme, "much", 1000)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.invoice SET amount_remaining_minor = 10"))
    with pytest.raises(Refused) as refused:
        on_session.pay(acme.parts, profile_id=invoice.profile_id)
    assert refused.value.code == "on_hold"
    assert (invoices(acme)[0].status, forwarded(acme)) == ("open", 0)
    assert [item.kind for item in acme.work_items()] == ["customer_quarantined"]


def test_who_is_on_hold_is_told_so_at_the_page(acme: Company) -> None:
    invoice = _by_transfer(acme, "small", 20)
    braking.stop(acme.parts, BrakeKind.COLLECT, order=ORDER)
    with pytest.raises(Refused) as refused:
        on_session.pay(acme.parts, profile_id=invoice.profile_id)
    assert refused.value.code == "on_hold"
    assert forwarded(acme) == 0


def test_a_first_payment_of_cents_begins_the_subscription(acme: Company) -> None:
    acme.price("small", 20)
    acme.customer("a1")
    new = NewSubscription(code="s1", account_id="a1", items=(NewItem("small"),), start=START, first_payment=True)
    id_ = subscribing.subscribe(acme.parts, seller_id=acme.seller_id, new=new).subscription_id
    assert acme.subscription(id_).status == "incomplete"
    acme.settle()
    assert acme.subscription(id_).status == "active"
    (first,) = invoices(acme)
    assert (first.number is not None, first.status, forwarded(acme), acme.payments()) == (True, "paid", 24, [])
    assert acme.violations() == ()


def test_a_first_document_of_cents_waits_while_issuing_is_stopped(acme: Company) -> None:
    """No money came for it, so nothing hurries."""
    acme.price("small", 20)
    acme.customer("a1")
    new = NewSubscription(code="s1", account_id="a1", items=(NewItem("small"),), start=START, first_payment=True)
    id_ = subscribing.subscribe(acme.parts, seller_id=acme.seller_id, new=new).subscription_id
    braking.stop(acme.parts, BrakeKind.ISSUE, order=ORDER)
    acme.settle_under_a_brake()
    assert acme.subscription(id_).status == "incomplete"
    assert [each.status for each in invoices(acme)] == ["draft"]
    braking.start(acme.parts, BrakeKind.ISSUE, order=ORDER)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.invoice SET charge_not_before = NULL"))
    acme.settle()
    assert acme.subscription(id_).status == "active"
    assert (forwarded(acme), acme.violations()) == (24, ())


def _first_document(acme: Company, method: str) -> tuple[UUID, Invoice]:
    """A draft of 11.90 that waits for its first payment."""
    acme.customer("a1", method=method)
    new = NewSubscription(code="s1", account_id="a1", items=(NewItem("basic"),), start=START, first_payment=True)
    id_ = subscribing.subscribe(acme.parts, seller_id=acme.seller_id, new=new).subscription_id
    return id_, invoices(acme)[0]


def _not_less_than(acme: Company, least: str) -> Parts:
    """Parts for which another minimum was named by now."""
    settings = acme.parts.settings.model_copy(update={"billing_least_charges": least})
    return replace(acme.parts, settings=settings)


def test_a_first_document_whose_customer_is_just_paying_it_is_left_to_them(acme: Company) -> None:
    id_, draft = _first_document(acme, "pm_card_authenticationRequired")
    assert on_session.pay(acme.parts, profile_id=draft.profile_id).status is on_session.Paying.ACTION
    again = _not_less_than(acme, "eur:12")
    assert on_session.pay(again, profile_id=draft.profile_id).status is on_session.Paying.ACTION
    forwarding.carry_forward(again, draft)
    assert (acme.subscription(id_).status, invoices(acme)[0].status, forwarded(acme)) == ("incomplete", "draft", 0)


def test_what_the_provider_has_of_a_first_document_is_ended_before_it_is_carried_forward(acme: Company) -> None:
    id_, draft = _first_document(acme, "pm_card_chargeCustomerFail")
    assert on_session.pay(acme.parts, profile_id=draft.profile_id).status is on_session.Paying.DECLINED
    with pytest.raises(Refused) as refused:
        on_session.pay(_not_less_than(acme, "eur:12"), profile_id=draft.profile_id)
    assert refused.value.code == "nothing_owed"
    assert (acme.subscription(id_).status, forwarded(acme)) == ("active", 1190)
    assert {intent.status for intent in acme.witness.intents()} == {"canceled"}
    assert acme.violations() == ()


def test_a_first_document_that_the_provider_has_money_for_waits_for_that(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_, draft = _first_document(acme, "pm_card_visa")
    monkeypatch.setattr(forwarding, "cancel_intents", lambda *_: False)
    forwarding.carry_forward(acme.parts, draft)
    (waits,) = invoices(acme)
    assert (acme.subscription(id_).status, waits.status, forwarded(acme)) == ("incomplete", "draft", 0)
    assert waits.charge_not_before is not None


def test_exactly_the_least_is_charged_at_the_page(acme: Company) -> None:
    invoice = _by_transfer(acme, "much", 1000)
    again = _not_less_than(acme, "eur:11.90")
    assert on_session.pay(again, profile_id=invoice.profile_id).status is on_session.Paying.PAID
    assert (invoices(acme)[0].amount_paid_minor, forwarded(acme)) == (1190, 0)


def test_what_the_customers_method_cannot_bring_is_not_carried_forward_by_it(acme: Company) -> None:
    """Dollars don't come by a SEPA debit: such an invoice waits for another method, as in collection."""
    acme.price("dollars", 20, currency="usd")
    profile_id = acme.customer("a1", method="pm_sandbox_sepa")
    acme.begin_subscription("a1", "s1", NewItem("dollars"), collection="send_invoice", days_until_due=14)
    with pytest.raises(Refused) as refused:
        on_session.pay(acme.parts, profile_id=profile_id)
    assert (refused.value.code, forwarded(acme)) == ("payment_method_missing", 0)
