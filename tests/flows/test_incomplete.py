"""Incomplete: active only once the first payment has come, and given up after 23 hours."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from billing.flows import audit, changing, incomplete, subscribing
from billing.kernel.errors import Refused
from billing.models import LedgerEntry, OutboxEvent, PaymentIntent, Subscription
from billing.validators.subscription import NewItem, NewSubscription
from tests.flows.company import START, Company

DECLINED = "pm_card_chargeCustomerFail"


def _subscribe(acme: Company, method: str | None) -> UUID:
    acme.customer("a1", method=method)
    new = NewSubscription(code="s1", account_id="a1", items=(NewItem("basic"),), start=START, first_payment=True)
    made = subscribing.subscribe(acme.parts, seller_id=acme.seller_id, new=new)
    assert made.invoices == ()
    return made.subscription_id


def _topics(acme: Company) -> set[str]:
    with acme.begin() as session:
        return set(session.scalars(select(OutboxEvent.topic)))


def _holds(acme: Company) -> None:
    assert audit.run(acme.parts, witness=acme.witness).violations == ()


def test_it_waits_with_a_draft_that_nobody_has_booked(acme: Company) -> None:
    id_ = _subscribe(acme, DECLINED)
    acme.settle()
    assert acme.subscription(id_).status == "incomplete"
    (draft,) = acme.invoices()
    assert (draft.status, draft.number) == ("draft", None)
    assert [payment.status for payment in acme.payments()] == ["declined"]
    with acme.begin() as session:
        assert session.scalar(select(func.count()).select_from(LedgerEntry)) == 0
    _holds(acme)


def test_who_pays_by_debit_is_not_made_to_wait_for_what_comes_too_late(acme: Company) -> None:
    with pytest.raises(Refused, match="first_payment_takes_days"):
        _subscribe(acme, "pm_sandbox_sepa")
    with acme.begin() as session:
        assert session.scalar(select(func.count()).select_from(Subscription)) == 0
    acme.customer("a2", method="pm_card_visa")
    acme.begin_subscription("a2", "s2", NewItem("basic"), first_payment=True)
    acme.begin_subscription("a1", "s1", NewItem("basic"))


def test_the_first_payment_issues_the_draft_and_activates_it(acme: Company) -> None:
    id_ = _subscribe(acme, "pm_card_visa")
    acme.settle()
    subscription = acme.subscription(id_)
    (invoice,) = acme.invoices()
    assert (subscription.status, subscription.expires_at) == ("active", None)
    assert (invoice.status, invoice.number, invoice.amount_paid_minor) == ("paid", "ACME-000001", 1190)
    assert {"subscription.active", "invoice.issued", "invoice.paid"} <= _topics(acme)
    acme.set_clock(START.replace(month=2, day=28))
    acme.settle()
    assert [each.number for each in acme.invoices()] == ["ACME-000001", "ACME-000002"]
    _holds(acme)


@pytest.mark.parametrize("method", ["pm_sandbox_timeoutAfterCharge", "pm_sandbox_timeoutBeforeCharge"])
def test_an_outcome_that_is_unknown_at_first_activates_it_once(acme: Company, method: str) -> None:
    id_ = _subscribe(acme, method)
    acme.settle()
    assert acme.subscription(id_).status == "active"
    assert [each.status for each in acme.invoices()] == ["paid"]
    _holds(acme)


def test_a_method_that_works_is_tried_at_once(acme: Company) -> None:
    id_ = _subscribe(acme, DECLINED)
    acme.settle()
    acme.give_method(acme.subscription(id_).profile_id, "pm_card_visa")
    acme.settle()
    assert acme.subscription(id_).status == "active"


def test_after_23_hours_it_is_given_up_with_its_draft_and_its_intent(acme: Company) -> None:
    id_ = _subscribe(acme, DECLINED)
    acme.settle()
    acme.set_clock(START + timedelta(hours=22))
    assert incomplete.sweep(acme.parts) == 0
    acme.set_clock(START + timedelta(hours=23))
    assert incomplete.sweep(acme.parts) == 1
    assert incomplete.sweep(acme.parts) == 0
    subscription = acme.subscription(id_)
    assert (subscription.status, subscription.next_due_at) == ("incomplete_expired", None)
    assert [each.status for each in acme.invoices()] == ["expired"]
    assert [intent.status for intent in acme.witness.intents()] == ["canceled"]
    with acme.begin() as session:
        assert session.scalars(select(PaymentIntent.status)).all() == ["canceled"]
    assert "subscription.expired" in _topics(acme)
    acme.give_method(subscription.profile_id, "pm_card_visa")
    acme.settle()
    assert len(acme.payments()) == 1, "nothing is charged for what is no more"
    _holds(acme)


def test_without_a_method_it_expires_too(acme: Company) -> None:
    id_ = _subscribe(acme, None)
    acme.settle()
    acme.set_clock(START + timedelta(hours=23))
    assert incomplete.sweep(acme.parts) == 1
    assert acme.subscription(id_).status == "incomplete_expired"
    _holds(acme)


def test_it_is_not_changed_while_it_waits(acme: Company) -> None:
    id_ = _subscribe(acme, DECLINED)
    with acme.parts.begin() as session, pytest.raises(Refused) as refusal:
        changing.pause(acme.parts, session, id_)
    assert refusal.value.code == "subscription_incomplete"
