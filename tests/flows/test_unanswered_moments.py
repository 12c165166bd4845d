"""A scheduled moment whose try never reached the provider is still to be decided: the next try takes its place."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from billing.flows import collection, renewal
from billing.validators.seller import SellerPolicy
from tests.flows.company import START, Company, company

FUNDS = "pm_card_visa_chargeDeclinedInsufficientFunds"
ANOTHER = "pm_card_chargeCustomerFail"
AT = START + timedelta(days=3)
LAST = SellerPolicy(dunning_hours=None, dunning_retries=(timedelta(days=3),))


def unsent_at_the_last_moment(acme: Company) -> None:
    """The last retry's moment comes while the provider refuses our key."""
    acme.settle()
    acme.revoke_key()
    acme.set_clock(AT)
    collection.plan(acme.parts)
    acme.run_messages()
    assert [each.status for each in acme.payments()] == ["declined", "not_sent"]


def test_a_new_card_that_is_declined_in_its_place_decides(database_url: str) -> None:
    with company(database_url, policy=LAST) as acme:
        profile = acme.customer("a1", method=FUNDS)
        subscription = acme.subscribe("a1", "s1")
        unsent_at_the_last_moment(acme)
        acme.restore_key()
        acme.give_method(profile, ANOTHER)
        acme.settle()
        assert acme.payments()[-1].scheduled
        assert acme.invoices()[0].final_decision == "cancel"
        assert acme.subscription(subscription).status == "canceled"
        assert acme.violations() == ()


def test_an_extra_try_that_was_not_sent_leaves_the_next_moment_one_try(database_url: str) -> None:
    policy = SellerPolicy(dunning_hours=None, dunning_retries=(timedelta(days=3), timedelta(days=30)))
    with company(database_url, policy=policy) as acme:
        profile = acme.customer("a1", method=FUNDS)
        acme.subscribe("a1", "s1")
        acme.settle()
        acme.give_method(profile, ANOTHER)
        acme.revoke_key()
        collection.plan(acme.parts)
        acme.run_messages()
        assert [(each.status, each.scheduled) for each in acme.payments()] == [("declined", True), ("not_sent", False)]
        acme.restore_key()
        acme.settle()
        assert [each.status for each in acme.payments()] == ["declined", "declined"]
        assert not acme.invoices()[0].extra_try
        acme.set_clock(AT)
        acme.settle()
        assert [each.scheduled for each in acme.payments()] == [True, False, True]
        assert acme.invoices()[0].dunning_step == 1


def test_the_try_after_one_that_proved_not_to_have_been_made_takes_its_moment(acme: Company) -> None:
    acme.customer("a1", method=FUNDS)
    acme.subscribe("a1", "s1")
    acme.witness.add_faults({"kind": "timeout_before", "next": 1, "path": "/v1/payment_intents"})
    renewal.plan(acme.parts)
    acme.run_messages()
    acme.set_clock(START + timedelta(hours=25))
    acme.settle()
    assert [(each.status, each.scheduled) for each in acme.payments()] == [("canceled", True), ("declined", True)]
    assert acme.invoices()[0].next_attempt_at is not None, "the schedule goes on from it"


def test_the_age_of_a_key_counts_from_the_sending_that_may_have_arrived(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.revoke_key()
    renewal.plan(acme.parts)
    acme.run_messages()
    assert acme.payments()[0].status == "not_sent"
    acme.restore_key()
    acme.set_clock(START + timedelta(hours=30))
    acme.witness.add_faults({"kind": "timeout_before", "next": 1, "path": "/v1/payment_intents"})
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.invoice SET charge_not_before = NULL"))
    collection.plan(acme.parts)
    acme.run_messages()
    (attempt,) = acme.payments()
    assert (attempt.status, attempt.first_sent_at) == ("unknown", START + timedelta(hours=30))
    acme.settle()
    (attempt,) = acme.payments()
    assert attempt.status == "succeeded", "asked under its own key, which is young"
    assert acme.violations() == ()
