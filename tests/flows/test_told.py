"""What the provider is told is read from what it saw; a name among it is named as a breach."""

from __future__ import annotations

import requests

from billing.providers.stripe.sent import told
from tests.flows.company import Company, company


def test_a_month_of_billing_tells_ids_and_amounts_and_a_planted_name_is_seen(database_url: str) -> None:
    with company(database_url) as acme:
        acme.customer("one")
        acme.subscribe("one", "one-basic")
        acme.settle()
        assert list(told(acme.witness.requests())) == []
        _tell_a_name(acme)
        assert list(told(acme.witness.requests())) == ["POST /v1/customers: name"]


def _tell_a_name(acme: Company) -> None:
    requests.post(
        f"{acme.witness_url}/v1/customers",
        data={"name": "Person one"},
        headers={"Authorization": "Bearer sk_test_company"},
        timeout=5,
    ).raise_for_status()
