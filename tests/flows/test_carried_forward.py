"""What is less than the provider charges is asked for by the customer's next invoice of that currency."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.commands.subscription.cancel import CancelWhen
from billing.flows import (
    changing,
    collection,
    correcting,
    customer_page,
    links,
    on_session,
    operating_profiles,
    rights,
    subscribing,
    working,
)
from billing.flows.correcting import mark_uncollectible, void
from billing.flows.crediting import credit
from billing.flows.order import Order
from billing.flows.replacing import replace_invoice
from billing.kernel.errors import ProviderUnavailable, Refused
from billing.models import CreditBalance, Invoice
from billing.validators.subscription import NewItem, NewSubscription
from tests.flows.company import START, Company

ORDER = Order(actor="mara", reason="agreed on the telephone")
MONTHS = [START + timedelta(days=31 * month) for month in range(4)]


def _invoices(acme: Company) -> list[Invoice]:
    return [each for each in acme.invoices() if each.kind == "invoice"]


def _forwarded(acme: Company) -> int:
    """Which the account in the books shows as well."""
    with acme.begin() as session:
        held = sum(row.forwarded_minor for row in session.query(CreditBalance))
    assert held == acme.account("carried_forward")
    return held


def _small(acme: Company, *, method: str | None = "pm_card_visa", amount: int = 20) -> UUID:
    """A customer whose month costs 24 cents with its tax: the provider charges 50 and more."""
    acme.price("small", amount)
    profile_id = acme.customer("a1", method=method)
    acme.begin_subscription("a1", "s1", NewItem("small"))
    acme.settle()
    return profile_id


def test_nobody_is_charged_or_dunned_for_cents_and_the_invoice_that_reaches_the_minimum_asks_for_all(
    acme: Company,
) -> None:
    _small(acme)
    (first,) = _invoices(acme)
    assert (first.total_minor, first.status, first.amount_paid_minor, first.amount_forwarded_minor) == (
        24,
        "paid",
        0,
        24,
    )
    assert (_forwarded(acme), acme.payments(), acme.work_items()) == (24, [], [])
    for month in MONTHS[1:]:
        acme.set_clock(month)
        acme.settle()
    _, second, third, fourth = _invoices(acme)
    assert (second.brought_forward_minor, second.amount_due_minor, second.amount_forwarded_minor) == (24, 48, 48)
    assert (third.brought_forward_minor, third.amount_due_minor, third.amount_paid_minor) == (48, 72, 72)
    assert (fourth.brought_forward_minor, fourth.amount_forwarded_minor) == (0, 24)
    assert [each.amount_minor for each in acme.payments()] == [72]
    assert [each.amount_minor for each in acme.witness.charges()] == [72]
    assert _forwarded(acme) == 24
    assert acme.violations() == ()


def test_who_has_no_method_is_asked_for_one_and_then_it_is_carried_forward(acme: Company) -> None:
    profile_id = _small(acme, method=None)
    (first,) = _invoices(acme)
    assert (first.status, first.amount_remaining_minor) == ("open", 24)
    acme.give_method(profile_id, "pm_card_visa")
    acme.settle()
    assert (_invoices(acme)[0].status, _forwarded(acme), acme.payments()) == ("paid", 24, [])
    assert acme.violations() == ()


def test_a_first_payment_of_cents_begins_the_subscription(acme: Company) -> None:
    acme.price("small", 20)
    acme.customer("a1")
    new = NewSubscription(code="s1", account_id="a1", items=(NewItem("small"),), start=START, first_payment=True)
    id_ = subscribing.subscribe(acme.parts, seller_id=acme.seller_id, new=new).subscription_id
    assert acme.subscription(id_).status == "incomplete"
    acme.settle()
    assert acme.subscription(id_).status == "active"
    (first,) = _invoices(acme)
    assert (first.number is not None, first.status, _forwarded(acme), acme.payments()) == (True, "paid", 24, [])
    assert acme.violations() == ()


def test_what_a_credit_note_leaves_over_is_not_charged_and_the_intent_is_ended(acme: Company, owed: Invoice) -> None:
    credit(acme.parts, owed.id, amount_minor=1180, order=ORDER)
    acme.give_method(owed.profile_id, "pm_card_visa")
    acme.settle()
    (invoice,) = _invoices(acme)
    assert (invoice.status, invoice.amount_forwarded_minor, _forwarded(acme)) == ("paid", 10, 10)
    assert {intent.status for intent in acme.witness.intents()} == {"canceled"}
    assert acme.witness.charges() == [] or all(each.status == "failed" for each in acme.witness.charges())
    assert acme.violations() == ()


def _third(acme: Company) -> Invoice:
    """One of 72 that brings 48 forward, and is declined."""
    profile_id = _small(acme)
    acme.set_clock(MONTHS[1])
    acme.settle()
    acme.give_method(profile_id, "pm_card_chargeCustomerFail")
    acme.set_clock(MONTHS[2])
    acme.settle()
    found = _invoices(acme)[2]
    assert (found.status, found.brought_forward_minor, found.amount_remaining_minor) == ("open", 48, 72)
    assert _forwarded(acme) == 0
    return found


def test_a_void_gives_back_what_was_brought_forward_and_the_next_invoice_asks_for_it(acme: Company) -> None:
    third = _third(acme)
    void(acme.parts, third.id, order=ORDER)
    assert _forwarded(acme) == 48
    acme.give_method(third.profile_id, "pm_card_visa", another=True)
    acme.set_clock(MONTHS[3])
    acme.settle()
    assert [each.amount_minor for each in acme.payments() if each.status == "succeeded"] == [72]
    assert _forwarded(acme) == 0
    assert acme.violations() == ()


def test_what_a_note_takes_off_is_its_own_total_and_what_it_brought_forward_stays_owed(acme: Company) -> None:
    third = _third(acme)
    credit(acme.parts, third.id, order=ORDER)
    assert _invoices(acme)[2].amount_remaining_minor == 48
    acme.give_method(third.profile_id, "pm_card_visa", another=True)
    acme.settle()
    assert (_invoices(acme)[2].status, _forwarded(acme)) == ("paid", 48)
    assert acme.violations() == ()


def test_a_write_off_gives_up_what_was_brought_forward_too(acme: Company) -> None:
    third = _third(acme)
    mark_uncollectible(acme.parts, third.id, order=ORDER)
    assert (acme.account("write_off"), _forwarded(acme)) == (72, 0)
    assert acme.violations() == ()


def test_a_document_in_place_of_an_open_one_leaves_what_was_brought_forward_to_the_next(acme: Company) -> None:
    third = _third(acme)
    made = replace_invoice(acme.parts, third.id, order=ORDER)
    assert (made.carried_minor, made.remaining_minor, _forwarded(acme)) == (0, 24, 48)
    assert acme.violations() == ()


def test_a_document_in_place_of_a_paid_one_takes_over_what_was_paid_for_it_alone(acme: Company) -> None:
    third = _third(acme)
    acme.give_method(third.profile_id, "pm_card_visa", another=True)
    acme.settle()
    made = replace_invoice(acme.parts, third.id, order=ORDER)
    assert (made.carried_minor, made.remaining_minor, _forwarded(acme)) == (24, 0, 0)
    assert acme.violations() == ()


def test_a_document_in_place_of_one_that_was_carried_forward_is_paid_as_that_was(acme: Company) -> None:
    _small(acme)
    made = replace_invoice(acme.parts, _invoices(acme)[0].id, order=ORDER)
    assert (made.carried_minor, made.remaining_minor, _forwarded(acme)) == (24, 0, 24)
    assert acme.violations() == ()


def test_credit_pays_what_was_brought_forward(acme: Company) -> None:
    profile_id = _small(acme)
    credit(acme.parts, _invoices(acme)[0].id, order=ORDER)
    assert (acme.credit(profile_id), _forwarded(acme)) == (24, 24)
    acme.set_clock(MONTHS[1])
    acme.settle()
    second = _invoices(acme)[1]
    assert (second.brought_forward_minor, second.credit_applied_minor, second.amount_due_minor) == (24, 24, 24)
    assert acme.violations() == ()


def test_an_invoice_that_comes_to_nothing_asks_for_nothing_of_before(acme: Company) -> None:
    acme.coupon("gift", 100)
    _small(acme)
    acme.begin_subscription("a1", "s2", NewItem("small"), coupon_code="gift")
    acme.settle()
    free = _invoices(acme)[1]
    assert (free.total_minor, free.brought_forward_minor, free.status, _forwarded(acme)) == (0, 0, "paid", 24)


def test_money_of_another_currency_stays_apart(acme: Company) -> None:
    _small(acme)
    acme.price("dollars", 1000, currency="usd")
    acme.begin_subscription("a1", "s2", NewItem("dollars"))
    acme.settle()
    assert (_invoices(acme)[1].brought_forward_minor, _forwarded(acme)) == (0, 24)
    assert acme.violations() == ()


@pytest.mark.parametrize(("named", "charged"), [("eur:12", []), ("eur:11.90", [1190]), ("usd:12", [1190])])
def test_an_account_with_another_minimum_is_told_of_it(acme: Company, named: str, charged: list[int]) -> None:
    settings = acme.parts.settings.model_copy(update={"billing_least_charges": named})
    acme.parts = replace(acme.parts, settings=settings)
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    assert [each.amount_minor for each in acme.payments()] == charged


def test_while_the_provider_cannot_be_asked_to_end_a_try_it_waits(
    acme: Company, owed: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    credit(acme.parts, owed.id, amount_minor=1180, order=ORDER)
    acme.give_method(owed.profile_id, "pm_card_visa")

    def away(*_: object) -> bool:
        raise ProviderUnavailable("away")

    monkeypatch.setattr(correcting, "cancel_intents", away)
    acme.sweep()
    acme.run_messages()
    (invoice,) = _invoices(acme)
    assert (invoice.status, invoice.amount_remaining_minor) == ("open", 10)
    assert invoice.charge_not_before is not None
    monkeypatch.undo()
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.invoice SET charge_not_before = NULL"))
    acme.settle()
    assert _invoices(acme)[0].amount_forwarded_minor == 10


def test_who_is_forgotten_is_asked_for_nothing_more(acme: Company) -> None:
    profile_id = _small(acme)
    (first,) = _invoices(acme)
    with acme.parts.begin() as session:
        assert first.subscription_id is not None
        changing.cancel(acme.parts, session, first.subscription_id, when=CancelWhen.NOW)
    acme.settle()
    assert _forwarded(acme) == 24
    rights.erase(acme.parts, profile_id, order=ORDER)
    assert (_forwarded(acme), acme.account("write_off")) == (0, 24)
    assert acme.violations() == ()


def test_who_pays_at_our_page_is_told_that_it_comes_with_the_next_and_pays_the_others(acme: Company) -> None:
    acme.price("small", 20)
    profile_id = acme.customer("a1")
    for code, price in (("s1", "small"), ("s2", "basic")):
        acme.begin_subscription("a1", code, NewItem(price), collection="send_invoice", days_until_due=14)
    small, other = _invoices(acme)
    assert on_session.pay(acme.parts, profile_id=profile_id).invoice_id == other.id
    assert [each.status for each in _invoices(acme)] == ["paid", "paid"]
    assert (_forwarded(acme), [each.amount_minor for each in acme.payments()]) == (24, [1190])
    page = replace(acme.parts, settings=acme.parts.settings.model_copy(update={"billing_public_url": "https://pay.x"}))
    with page.begin() as session:
        token = links.invoice_link(page, session, small.id).rpartition("/")[2]
    shown = customer_page.show(page, token)
    assert (shown.message, [(each.state, each.amount_minor) for each in shown.bills]) == (
        "carried_forward",
        [("paid", 1190), ("carried_on", 24)],
    )
    with pytest.raises(Refused) as refused:
        on_session.pay(acme.parts, profile_id=profile_id, upto=small.id)
    assert refused.value.code == "nothing_owed"
    assert acme.violations() == ()


def test_a_person_gives_up_what_no_invoice_will_ask_for(acme: Company) -> None:
    profile_id = _small(acme)
    tried = operating_profiles.write_off(acme.parts, profile_id, order=replace(ORDER, dry_run=True))
    assert (tried.told, _forwarded(acme)) == ("0.24 EUR are not asked for any more", 24)
    done = operating_profiles.write_off(acme.parts, profile_id, order=ORDER)
    assert (done.changed, _forwarded(acme), acme.account("write_off")) == (True, 0, 24)
    assert not operating_profiles.write_off(acme.parts, profile_id, order=ORDER).changed
    acme.set_clock(MONTHS[1])
    acme.settle()
    assert _invoices(acme)[1].brought_forward_minor == 0
    assert acme.violations() == ()


def test_what_breaks_on_the_way_is_held_for_a_person_and_the_others_are_charged(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def breaks(*_: object) -> None:
        sent.extend(each.status for each in acme.payments())
        raise ValueError("nobody knows why")

    monkeypatch.setattr(collection, "carry_forward", breaks)
    acme.price("small", 20)
    for account, price in (("a1", "small"), ("a2", "basic")):
        acme.customer(account)
        acme.subscribe(account, f"of-{account}", price=price)
    acme.settle()
    held, paid = sorted(_invoices(acme), key=lambda each: each.total_minor)
    assert sent == ["succeeded"], "what is sent comes first: ending a try takes calls"
    assert (held.status, held.hold_id is not None, paid.status) == ("open", True, "paid")
    (item,) = acme.work_items()
    monkeypatch.undo()
    working.act(acme.parts, item.id, action=working.Action.RETRY, order=ORDER)
    acme.settle()
    assert (_forwarded(acme), acme.violations()) == (24, ())
