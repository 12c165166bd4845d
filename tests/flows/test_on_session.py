"""The customer at hand pays, authenticates, fails or walks away: one charge in any case, and dunning goes on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from billing.flows import braking, on_session
from billing.flows.on_session import Paying
from billing.flows.order import Order
from billing.flows.sending import send_all
from billing.kernel.errors import Refused
from billing.kernel.status import InvoiceStatus, PaymentStatus, SubscriptionStatus
from billing.models import Profile
from billing.queries.brakes import BrakeKind
from billing.validators.subscription import NewItem
from tests.flows.at_hand import (
    AUTHENTICATE,
    authenticate,
    charges,
    fails_once,
    intents,
    issue,
    owing,
    refusal,
    the_invoice,
)
from tests.flows.company import START, Company, company


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, patience_s=30) as fresh:
        yield fresh


@pytest.fixture(autouse=True)
def in_order(acme: Company) -> Iterator[None]:
    """Whatever a test does, the books hold at its end."""
    yield
    assert acme.violations() == ()


def test_off_session_the_wish_for_authentication_is_a_decline_that_waits_for_the_customer(acme: Company) -> None:
    owing(acme)
    (payment,) = acme.payments()
    assert (payment.status, payment.decline_code) == (PaymentStatus.DECLINED, "authentication_required")
    assert the_invoice(acme).waits_for_method


def test_a_customer_who_authenticates_has_paid(acme: Company) -> None:
    profile_id = owing(acme)
    tried = on_session.pay(acme.parts, profile_id=profile_id)
    assert tried.status is Paying.ACTION
    assert tried.client_secret
    assert tried.client_secret not in repr(tried)
    authenticate(acme, succeeded=True)
    assert on_session.look(acme.parts, profile_id=profile_id, payment_id=tried.payment_id).status is Paying.PAID
    assert (the_invoice(acme).status, charges(acme)) == (InvoiceStatus.PAID, 1)
    acme.settle()
    assert len(acme.payments()) == 2


def test_an_authentication_is_learnt_from_the_webhook_where_the_browser_never_comes_back(acme: Company) -> None:
    profile_id = owing(acme)
    on_session.pay(acme.parts, profile_id=profile_id)
    authenticate(acme, succeeded=True)
    acme.settle()
    assert the_invoice(acme).status == InvoiceStatus.PAID


def test_a_failed_authentication_is_a_decline_that_leaves_the_schedule_alone(acme: Company) -> None:
    profile_id = owing(acme)
    before = the_invoice(acme)
    tried = on_session.pay(acme.parts, profile_id=profile_id)
    authenticate(acme, succeeded=False)
    assert on_session.look(acme.parts, profile_id=profile_id, payment_id=tried.payment_id).status is Paying.DECLINED
    after = the_invoice(acme)
    assert (after.next_attempt_at, after.dunning_step) == (before.next_attempt_at, before.dunning_step)
    assert after.charge_not_before is None
    # And it may be tried again at once: a failed authentication is not a refused card.
    assert on_session.pay(acme.parts, profile_id=profile_id).status is Paying.ACTION
    authenticate(acme, succeeded=True)
    acme.settle()
    assert charges(acme) == 1


def test_a_good_card_pays_before_its_scheduled_try_and_is_not_charged_again(acme: Company) -> None:
    profile_id = acme.customer("one")
    acme.subscribe("one", "one-basic")
    issue(acme)
    assert on_session.pay(acme.parts, profile_id=profile_id).status is Paying.PAID
    acme.settle()
    assert (charges(acme), len(acme.payments())) == (1, 1)


def test_two_tabs_share_one_attempt(acme: Company) -> None:
    profile_id = owing(acme)
    first = on_session.pay(acme.parts, profile_id=profile_id)
    second = on_session.pay(acme.parts, profile_id=profile_id)
    assert (first.payment_id, first.client_secret) == (second.payment_id, second.client_secret)
    authenticate(acme, succeeded=True)
    acme.settle()


def test_pressed_many_times_at_once_it_is_charged_once(acme: Company) -> None:
    profile_id = acme.customer("one")
    acme.subscribe("one", "one-basic")
    issue(acme)

    def press(_: int) -> str:
        try:
            return on_session.pay(acme.parts, profile_id=profile_id).status
        except Refused as refused:
            return refused.code

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(press, range(4)))
    assert answers.count("paid") == 1
    assert set(answers) <= {"paid", "payment_in_flight", "nothing_owed"}
    assert charges(acme) == 1
    acme.settle()


def test_while_a_payment_is_on_its_way_nothing_is_tried(acme: Company) -> None:
    profile_id = owing(acme, "pm_sandbox_processing")
    assert refusal(acme, profile_id) == "payment_in_flight"


def test_another_method_chosen_meanwhile_pays_and_the_old_one_cannot(acme: Company) -> None:
    profile_id = owing(acme)
    on_session.pay(acme.parts, profile_id=profile_id)
    acme.give_method(profile_id, "pm_card_visa")
    assert on_session.pay(acme.parts, profile_id=profile_id).status is Paying.PAID
    assert sorted(each["status"] for each in intents(acme)) == ["canceled", "succeeded"]
    acme.settle()
    assert charges(acme) == 1


def test_a_card_refused_for_good_is_not_tried_again_and_another_is(acme: Company) -> None:
    profile_id = owing(acme, "pm_card_visa_chargeDeclinedLostCard")
    assert refusal(acme, profile_id) == "payment_method_refused"
    acme.give_method(profile_id, "pm_card_visa")
    assert on_session.pay(acme.parts, profile_id=profile_id).status is Paying.PAID


def test_a_soft_decline_on_session_uses_no_step_of_the_schedule(acme: Company) -> None:
    profile_id = owing(acme, "pm_card_chargeCustomerFail")
    before = the_invoice(acme)
    tried = on_session.pay(acme.parts, profile_id=profile_id)
    assert (tried.status, tried.decline_code) == (Paying.DECLINED, "generic_decline")
    after = the_invoice(acme)
    assert (after.next_attempt_at, after.dunning_step) == (before.next_attempt_at, before.dunning_step)


def test_without_a_method_it_says_so(acme: Company) -> None:
    assert refusal(acme, owing(acme, None)) == "payment_method_missing"


def test_the_oldest_invoice_is_paid_first_and_then_the_next(acme: Company) -> None:
    profile_id = owing(acme)
    acme.set_clock(START + timedelta(days=31))
    acme.settle()
    older, newer = acme.invoices()
    paid = []
    for _ in range(2):
        tried = on_session.pay(acme.parts, profile_id=profile_id)
        paid.append(tried.invoice_id)
        authenticate(acme, succeeded=True)
        on_session.look(acme.parts, profile_id=profile_id, payment_id=tried.payment_id)
    assert paid == [older.id, newer.id]
    assert refusal(acme, profile_id) == "nothing_owed"
    acme.settle()


def test_a_link_to_an_older_invoice_leaves_younger_ones_alone(acme: Company) -> None:
    profile_id = owing(acme)
    acme.set_clock(START + timedelta(days=31))
    acme.settle()
    older, _ = acme.invoices()
    tried = on_session.pay(acme.parts, profile_id=profile_id, upto=older.id)
    authenticate(acme, succeeded=True)
    on_session.look(acme.parts, profile_id=profile_id, payment_id=tried.payment_id)
    with pytest.raises(Refused) as refused:
        on_session.pay(acme.parts, profile_id=profile_id, upto=older.id)
    assert refused.value.code == "nothing_owed"


def test_the_first_payment_of_a_subscription_issues_its_invoice(acme: Company) -> None:
    profile_id = acme.customer("one", method=AUTHENTICATE)
    id_ = acme.begin_subscription("one", "one-basic", NewItem("basic", 1), first_payment=True)
    acme.settle()
    tried = on_session.pay(acme.parts, profile_id=profile_id)
    authenticate(acme, succeeded=True)
    on_session.look(acme.parts, profile_id=profile_id, payment_id=tried.payment_id)
    assert acme.subscription(id_).status == SubscriptionStatus.ACTIVE
    assert the_invoice(acme).number is not None


def test_too_many_tries_within_an_hour_are_refused(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_session, "MOST_TRIES", 2)
    profile_id = owing(acme, "pm_card_chargeCustomerFail")
    for _ in range(2):
        on_session.pay(acme.parts, profile_id=profile_id)
    assert refusal(acme, profile_id) == "too_many_tries"


def test_nobody_looks_at_another_customers_attempt(acme: Company) -> None:
    profile_id, other = owing(acme), acme.customer("two")
    tried = on_session.pay(acme.parts, profile_id=profile_id)
    with pytest.raises(Refused) as refused:
        on_session.look(acme.parts, profile_id=other, payment_id=tried.payment_id)
    assert refused.value.code == "payment_not_found"
    authenticate(acme, succeeded=True)
    acme.settle()


@pytest.mark.parametrize("fault", ["disconnect_after", "error_500_before", "error_500_after"])
def test_an_answer_that_is_lost_is_asked_for_and_never_paid_twice(acme: Company, fault: str) -> None:
    profile_id = acme.customer("one")
    acme.subscribe("one", "one-basic")
    issue(acme)
    fails_once(acme, fault)
    assert on_session.pay(acme.parts, profile_id=profile_id).status is Paying.WAITING
    assert refusal(acme, profile_id) == "payment_in_flight"
    acme.settle()
    assert (the_invoice(acme).status, charges(acme)) == (InvoiceStatus.PAID, 1)


def test_what_never_reached_the_provider_may_be_asked_for_again_at_once(acme: Company) -> None:
    profile_id = acme.customer("one")
    acme.subscribe("one", "one-basic")
    issue(acme)
    fails_once(acme, "rate_limit")
    assert on_session.pay(acme.parts, profile_id=profile_id).status is Paying.NOT_TRIED
    tried = on_session.pay(acme.parts, profile_id=profile_id)
    assert tried.status is Paying.PAID
    acme.settle()
    kinds = [(payment.kind, payment.status) for payment in acme.payments()]
    assert kinds == [("on_session", PaymentStatus.NOT_SENT), ("on_session", PaymentStatus.SUCCEEDED)]


def test_while_charging_is_stopped_nothing_is_opened_and_no_try_is_used_up(acme: Company) -> None:
    profile_id = acme.customer("one")
    acme.subscribe("one", "one-basic")
    issue(acme)
    before = the_invoice(acme)
    braking.stop(acme.parts, BrakeKind.COLLECT, order=Order("ada", "the prices look wrong"))
    assert refusal(acme, profile_id) == "on_hold"
    after = the_invoice(acme)
    assert acme.payments() == []
    assert (after.charge_not_before, after.next_attempt_at) == (None, before.next_attempt_at)


def test_a_brake_between_the_opening_and_the_call_leaves_the_schedule_alone(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile_id = acme.customer("one")
    acme.subscribe("one", "one-basic")
    issue(acme)
    before = the_invoice(acme)

    def stopped_meanwhile(*given: Any, **named: Any) -> None:
        braking.stop(acme.parts, BrakeKind.COLLECT, order=Order("ada", "the prices look wrong"))
        send_all(*given, **named)

    monkeypatch.setattr(on_session, "send_all", stopped_meanwhile)
    assert on_session.pay(acme.parts, profile_id=profile_id).status is Paying.NOT_TRIED
    after = the_invoice(acme)
    assert (after.charge_not_before, after.next_attempt_at) == (None, before.next_attempt_at)
    assert charges(acme) == 0


def test_a_debt_that_the_books_do_not_confirm_is_not_charged_and_its_customer_is_parked(acme: Company) -> None:
    profile_id = acme.customer("one")
    acme.subscribe("one", "one-basic")
    issue(acme)
    _set_remaining(acme, 1000)
    assert refusal(acme, profile_id) == "on_hold"
    assert acme.payments() == []
    with acme.begin() as session:
        assert session.get_one(Profile, profile_id).hold_id is not None
    assert [item.kind for item in acme.work_items()] == ["customer_quarantined"]
    _set_remaining(acme, 1190)


def _set_remaining(acme: Company, amount: int) -> None:
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE billing.invoice SET amount_remaining_minor = :amount"), {"amount": amount})
