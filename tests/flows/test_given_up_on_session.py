"""A customer who walks away in the middle: the attempt is given up, and money that came all the same is recorded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from sqlalchemy import text

from billing.commands.payment.cancel import MOST
from billing.flows import on_session, resolution, upkeep
from billing.kernel.status import InvoiceStatus, PaymentStatus
from tests.flows.at_hand import (
    AUTHENTICATE,
    age,
    authenticate,
    charges,
    fails_once,
    intents,
    issue,
    owing,
    the_invoice,
)
from tests.flows.company import Company, company


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, patience_s=30) as fresh:
        yield fresh


@pytest.fixture(autouse=True)
def in_order(acme: Company) -> Iterator[None]:
    """Whatever a test does, the books hold at its end."""
    yield
    assert acme.violations() == ()


def test_an_abandoned_attempt_is_given_up_and_dunning_goes_on(acme: Company) -> None:
    profile_id = owing(acme)
    before = the_invoice(acme).next_attempt_at
    tried = on_session.pay(acme.parts, profile_id=profile_id)
    age(acme, tried.payment_id, hours=0)
    assert (resolution.resolve(acme.parts), acme.payments()[-1].status) == (1, PaymentStatus.REQUIRES_ACTION)
    age(acme, tried.payment_id, hours=2)
    resolution.resolve(acme.parts)
    payment, invoice = acme.payments()[-1], the_invoice(acme)
    assert (payment.status, invoice.next_attempt_at, invoice.charge_not_before) == (
        PaymentStatus.CANCELED,
        before,
        None,
    )
    assert [each["status"] for each in intents(acme)] == ["canceled"]
    acme.give_method(profile_id, "pm_card_visa")
    acme.settle()
    assert (the_invoice(acme).status, charges(acme)) == (InvoiceStatus.PAID, 1)


def test_where_the_provider_keeps_a_failure_of_the_cancellation_another_key_cancels(acme: Company) -> None:
    profile_id = owing(acme)
    tried = on_session.pay(acme.parts, profile_id=profile_id)
    (intent,) = intents(acme)
    fails_once(acme, "error_500_before", path=f"/v1/payment_intents/{intent['id']}/cancel")
    for _ in range(3):
        age(acme, tried.payment_id, hours=2)
        resolution.resolve(acme.parts)
    assert acme.payments()[-1].status == PaymentStatus.CANCELED


def test_where_the_provider_keeps_a_failure_under_each_of_our_keys_a_person_is_told(acme: Company) -> None:
    profile_id = owing(acme)
    tried = on_session.pay(acme.parts, profile_id=profile_id)
    (intent,) = intents(acme)
    faults = [{"kind": "error_500_before", "next": MOST, "path": f"/v1/payment_intents/{intent['id']}/cancel"}]
    requests.post(f"{acme.witness_url}/_sandbox/faults", json=faults, timeout=5).raise_for_status()
    for _ in range(2 * MOST):  # the failure itself, and then what is kept of it
        assert acme.work_items() == []
        age(acme, tried.payment_id, hours=2)
        resolution.resolve(acme.parts)
    assert [(each.kind, each.error) for each in acme.work_items()] == [("intent_not_canceled", "cancel_key_spent")]
    authenticate(acme, succeeded=True)
    age(acme, tried.payment_id, hours=2)
    resolution.resolve(acme.parts)
    assert (the_invoice(acme).status, charges(acme)) == (InvoiceStatus.PAID, 1)
    upkeep.close_gone_work(acme.parts)
    assert [each.status for each in acme.work_items()] == ["resolved"]


def test_a_scheduled_moment_that_comes_while_the_customer_is_at_it_is_not_lost(acme: Company) -> None:
    profile_id = acme.customer("one")
    acme.subscribe("one", "one-basic")
    issue(acme)
    acme.give_method(profile_id, AUTHENTICATE)
    acme.line.messages.clear()
    tried = on_session.pay(acme.parts, profile_id=profile_id)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.invoice SET charge_not_before = NULL"))
    acme.sweep()
    assert the_invoice(acme).next_attempt_at is not None
    age(acme, tried.payment_id, hours=2)
    acme.settle()
    assert [payment.kind for payment in acme.payments()] == ["on_session", "off_session"]


def test_money_that_came_while_it_was_given_up_is_recorded(acme: Company) -> None:
    profile_id = owing(acme)
    tried = on_session.pay(acme.parts, profile_id=profile_id)
    authenticate(acme, succeeded=True)
    on_session.give_up(acme.parts, payment_id=tried.payment_id)
    assert the_invoice(acme).status == InvoiceStatus.PAID
