"""An outage of the provider is no decline: at the last retry it decides nothing, uses nothing, tells nobody.

Before the last retry the worst could happen: taken for a decline, the fault would end the subscription.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.validators.seller import SellerPolicy
from tests.flows.company import START, Company, company

FUNDS = "pm_card_visa_chargeDeclinedInsufficientFunds"
AT = START + timedelta(days=3)
POLICY = SellerPolicy(dunning_hours=None, dunning_retries=(timedelta(days=3),))
KINDS = ["error_500_before", "error_500_after", "timeout_before", "timeout_after", "disconnect_after", "rate_limit"]


def told(acme: Company) -> list[str]:
    return [topic for topic, _ in acme.told("invoice.payment_failed", "invoice.collection_ended", "payment.declined")]


def begin_outage(acme: Company, kind: str) -> None:
    if kind == "key_refused":
        acme.revoke_key()
    else:
        acme.witness.add_faults({"kind": kind, "rate": 1.0, "path": "/v1/payment_intents"})
        # What the provider did although it did not answer is not told by its webhooks either, for now.
        acme.witness.add_faults({"kind": "webhook_drop", "rate": 1.0})


def end_outage(acme: Company, kind: str) -> None:
    if kind == "key_refused":
        acme.restore_key()
    else:
        acme.witness.clear_faults()


@pytest.mark.parametrize("kind", [*KINDS, "key_refused"])
def test_at_the_last_retry_an_outage_decides_nothing_and_the_try_is_made_when_it_is_over(
    database_url: str, kind: str
) -> None:
    with company(database_url, policy=POLICY) as acme:
        acme.customer("a1", method=FUNDS)
        subscription = acme.subscribe("a1", "s1")
        acme.settle()
        before = told(acme)
        begin_outage(acme, kind)
        acme.set_clock(AT)
        acme.sweep()
        acme.sweep()
        invoice = acme.invoices()[0]
        assert (invoice.status, invoice.final_decision) == ("open", None)
        assert acme.subscription(subscription).status == "past_due"
        assert told(acme) == before
        assert [each.status for each in acme.payments()].count("declined") == 1
        end_outage(acme, kind)
        acme.settle(seconds=30)
        invoice = acme.invoices()[0]
        assert (invoice.dunning_step, invoice.dunning_at, invoice.final_decision) == (1, AT, "cancel")
        assert [each.status for each in acme.payments()].count("declined") == 2
        assert acme.subscription(subscription).status == "canceled"
        assert told(acme)[len(before) :] == ["invoice.collection_ended", "payment.declined"]


@pytest.mark.parametrize("kind", ["error_500_before", "timeout_before", "rate_limit", "key_refused"])
def test_at_the_first_try_an_outage_leaves_the_subscription_active_and_the_whole_schedule_ahead(
    database_url: str, kind: str
) -> None:
    with company(database_url, policy=POLICY) as acme:
        acme.customer("a1")
        subscription = acme.subscribe("a1", "s1")
        begin_outage(acme, kind)
        acme.sweep()
        acme.sweep()
        assert acme.subscription(subscription).status == "active"
        assert acme.invoices()[0].dunning_step == 0
        assert told(acme) == []
        end_outage(acme, kind)
        acme.settle(seconds=30)
        assert (acme.invoices()[0].status, acme.invoices()[0].dunning_step) == ("paid", 0)
        assert told(acme) == []
