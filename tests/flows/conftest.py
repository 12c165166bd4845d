"""A company for each test. Whatever the story, the provider was told nothing that is not on the list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest

from billing.models import Invoice
from billing.providers.stripe.sent import told
from billing.sandbox.postbox import Postbox, postbox
from billing.sandbox.scenario.playing.stage import Stage
from tests.flows.company import START, Company, company
from tests.wallets import anna_of, paypal_stage

_NOT_OURS = re.compile(
    r"(POST /v1/(setup_intents/\w+/(confirm|cancel)|payment_methods/\w+)|DELETE /v1/customers/\w+): operation"
)
"""What tests do in the place of the provider's own form and dashboard, and of a bank that renews a card."""


@pytest.fixture
def two_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The surroundings of a company with a second account at Stripe, `shop`; its secret is empty until it is told."""
    monkeypatch.setenv("STRIPE_API_KEY__SHOP", "sk_test_shop")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET__SHOP", "")


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url) as fresh:
        yield fresh
        breaches = [each for each in told(fresh.witness.requests()) if not _NOT_OURS.fullmatch(each)]
        assert breaches == []


@pytest.fixture
def owed(acme: Company) -> Invoice:
    """1190 = 1000 and 19 %, declined once and tried again in three days."""
    acme.customer("a1", method="pm_card_chargeCustomerFail")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(START + timedelta(days=1))
    return acme.invoices()[0]


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    with paypal_stage(database_url) as made:
        yield made


@pytest.fixture
def anna(stage: Stage) -> UUID:
    return anna_of(stage)


@pytest.fixture
def box() -> Iterator[Postbox]:
    with postbox() as made:
        yield made
