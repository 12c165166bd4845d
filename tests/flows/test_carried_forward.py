"""What is less than the provider charges is asked for by the customer's next invoice of that currency."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from billing.commands.subscription.cancel import CancelWhen
from billing.flows import (
    changing,
    collection,
    correcting,
    operating_profiles,
    rights,
    working,
)
from billing.flows.correcting import mark_uncollectible, void
from billing.flows.crediting import credit
from billing.flows.replacing import replace_invoice
from billing.kernel.errors import ProviderUnavailable
from billing.models import Invoice
from billing.validators.subscription import NewItem
from tests.flows.cents import MONTHS, ORDER, forwarded, invoices, small
from tests.flows.company import Company


def test_nobody_is_charged_or_dunned_for_cents_and_the_invoice_that_reaches_the_minimum_asks_for_all(
    acme: Company,
) -> None:
    small(acme)
    (first,) = invoices(acme)
    assert (first.total_minor, first.status, first.amount_paid_minor, first.amount_carried_forward_minor) == (
        24,
        "paid",
        0,
        24,
    )
    assert (forwarded(acme), acme.payments(), acme.work_items()) == (24, [], [])
    for month in MONTHS[1:]:
        acme.set_clock(month)
        acme.settle()
    _, second, third, fourth = invoices(acme)
    assert (second.brought_forward_minor, second.amount_due_minor, second.amount_carried_forward_minor) == (24, 48, 48)
    assert (third.brought_forward_minor, third.amount_due_minor, third.amount_paid_minor) == (48, 72, 72)
    assert (fourth.brought_forward_minor, fourth.amount_carried_forward_minor) == (0, 24)
    assert [each.amount_minor for each in acme.payments()] == [72]
    assert [each.amount_minor for each in acme.witness.charges()] == [72]
    assert forwarded(acme) == 24
    assert acme.violations() == ()


def test_who_has_no_method_is_asked_for_one_and_then_it_is_carried_forward(acme: Company) -> None:
    profile_id = small(acme, method=None)
    (first,) = invoices(acme)
    assert (first.status, first.amount_remaining_minor) == ("open", 24)
    acme.give_method(profile_id, "pm_card_visa")
    acme.settle()
    assert (invoices(acme)[0].status, forwarded(acme), acme.payments()) == ("paid", 24, [])
    assert acme.violations() == ()


def test_what_a_credit_note_leaves_over_is_not_charged_and_the_intent_is_ended(acme: Company, owed: Invoice) -> None:
    credit(acme.parts, owed.id, amount_minor=1180, order=ORDER)
    acme.give_method(owed.profile_id, "pm_card_visa")
    acme.settle()
    (invoice,) = invoices(acme)
    assert (invoice.status, invoice.amount_carried_forward_minor, forwarded(acme)) == ("paid", 10, 10)
    assert {intent.status for intent in acme.witness.intents()} == {"canceled"}
    assert acme.witness.charges() == [] or all(each.status == "failed" for each in acme.witness.charges())
    assert acme.violations() == ()


def _third(acme: Company) -> Invoice:
    """One of 72 that brings 48 forward, and is declined."""
    profile_id = small(acme)
    acme.set_clock(MONTHS[1])
    acme.settle()
    acme.give_method(profile_id, "pm_card_chargeCustomerFail")
    acme.set_clock(MONTHS[2])
    acme.settle()
    found = invoices(acme)[2]
    assert (found.status, found.brought_forward_minor, found.amount_remaining_minor) == ("open", 48, 72)
    assert forwarded(acme) == 0
    return found


def test_a_void_gives_back_what_was_brought_forward_and_the_next_invoice_asks_for_it(acme: Company) -> None:
    third = _third(acme)
    void(acme.parts, third.id, order=ORDER)
    assert forwarded(acme) == 48
    acme.give_method(third.profile_id, "pm_card_visa", another=True)
    acme.set_clock(MONTHS[3])
    acme.settle()
    assert [each.amount_minor for each in acme.payments() if each.status == "succeeded"] == [72]
    assert forwarded(acme) == 0
    assert acme.violations() == ()


def test_what_a_note_takes_off_is_its_own_total_and_what_it_brought_forward_stays_owed(acme: Company) -> None:
    third = _third(acme)
    credit(acme.parts, third.id, order=ORDER)
    assert invoices(acme)[2].amount_remaining_minor == 48
    acme.give_method(third.profile_id, "pm_card_visa", another=True)
    acme.settle()
    assert (invoices(acme)[2].status, forwarded(acme)) == ("paid", 48)
    assert acme.violations() == ()


def test_a_write_off_gives_up_what_was_brought_forward_too(acme: Company) -> None:
    third = _third(acme)
    mark_uncollectible(acme.parts, third.id, order=ORDER)
    assert (acme.account("write_off"), forwarded(acme)) == (72, 0)
    assert acme.violations() == ()


def test_a_document_in_place_of_an_open_one_leaves_what_was_brought_forward_to_the_next(acme: Company) -> None:
    third = _third(acme)
    made = replace_invoice(acme.parts, third.id, order=ORDER)
    assert (made.carried_minor, made.remaining_minor, forwarded(acme)) == (0, 24, 48)
    assert acme.violations() == ()


def test_a_document_in_place_of_a_paid_one_takes_over_what_was_paid_for_it_alone(acme: Company) -> None:
    third = _third(acme)
    acme.give_method(third.profile_id, "pm_card_visa", another=True)
    acme.settle()
    made = replace_invoice(acme.parts, third.id, order=ORDER)
    assert (made.carried_minor, made.remaining_minor, forwarded(acme)) == (24, 0, 0)
    assert acme.violations() == ()


def test_a_document_in_place_of_one_that_was_carried_forward_is_paid_as_that_was(acme: Company) -> None:
    small(acme)
    made = replace_invoice(acme.parts, invoices(acme)[0].id, order=ORDER)
    assert (made.carried_minor, made.remaining_minor, forwarded(acme)) == (24, 0, 24)
    assert acme.violations() == ()


def test_credit_pays_what_was_brought_forward(acme: Company) -> None:
    profile_id = small(acme)
    credit(acme.parts, invoices(acme)[0].id, order=ORDER)
    assert (acme.credit(profile_id), forwarded(acme)) == (24, 24)
    acme.set_clock(MONTHS[1])
    acme.settle()
    second = invoices(acme)[1]
    assert (second.brought_forward_minor, second.credit_applied_minor, second.amount_due_minor) == (24, 24, 24)
    assert acme.violations() == ()


def test_an_invoice_that_comes_to_nothing_asks_for_nothing_of_before(acme: Company) -> None:
    acme.coupon("gift", 100)
    small(acme)
    acme.begin_subscription("a1", "s2", NewItem("small"), coupon_code="gift")
    acme.settle()
    free = invoices(acme)[1]
    assert (free.total_minor, free.brought_forward_minor, free.status, forwarded(acme)) == (0, 0, "paid", 24)


def test_money_of_another_currency_stays_apart(acme: Company) -> None:
    small(acme)
    acme.price("dollars", 1000, currency="usd")
    acme.begin_subscription("a1", "s2", NewItem("dollars"))
    acme.settle()
    assert (invoices(acme)[1].brought_forward_minor, forwarded(acme)) == (0, 24)
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
    (invoice,) = invoices(acme)
    assert (invoice.status, invoice.amount_remaining_minor) == ("open", 10)
    assert invoice.charge_not_before is not None
    monkeypatch.undo()
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.invoice SET charge_not_before = NULL"))
    acme.settle()
    assert invoices(acme)[0].amount_carried_forward_minor == 10


def test_who_is_forgotten_is_asked_for_nothing_more(acme: Company) -> None:
    profile_id = small(acme)
    (first,) = invoices(acme)
    with acme.parts.begin() as session:
        assert first.subscription_id is not None
        changing.cancel(acme.parts, session, first.subscription_id, when=CancelWhen.NOW)
    acme.settle()
    assert forwarded(acme) == 24
    rights.erase(acme.parts, profile_id, order=ORDER)
    assert (forwarded(acme), acme.account("write_off")) == (0, 24)
    assert acme.violations() == ()


def test_a_person_gives_up_what_no_invoice_will_ask_for(acme: Company) -> None:
    profile_id = small(acme)
    tried = operating_profiles.write_off(acme.parts, profile_id, order=replace(ORDER, dry_run=True))
    assert (tried.told, forwarded(acme)) == ("0.24 EUR are not asked for any more", 24)
    done = operating_profiles.write_off(acme.parts, profile_id, order=ORDER)
    assert (done.changed, forwarded(acme), acme.account("write_off")) == (True, 0, 24)
    assert not operating_profiles.write_off(acme.parts, profile_id, order=ORDER).changed
    acme.set_clock(MONTHS[1])
    acme.settle()
    assert invoices(acme)[1].brought_forward_minor == 0
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
    held, paid = sorted(invoices(acme), key=lambda each: each.total_minor)
    assert sent == ["succeeded"], "what is sent comes first: ending a try takes calls"
    assert (held.status, held.hold_id is not None, paid.status) == ("open", True, "paid")
    (item,) = acme.work_items()
    monkeypatch.undo()
    working.act(acme.parts, item.id, action=working.Action.RETRY, order=ORDER)
    acme.settle()
    assert (forwarded(acme), acme.violations()) == (24, ())
