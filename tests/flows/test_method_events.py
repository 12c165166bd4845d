"""A card that is renewed at the provider: its data are noted, and what waited for them is tried once."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import requests

from billing.queries.payment_method import default_method
from tests.flows.company import START, Company


def _renew_card(acme: Company, profile: UUID, **card: int) -> None:
    """The bank gives the provider new data of the profile's card."""
    with acme.begin() as session:
        method = default_method(session, profile)
    assert method is not None
    requests.post(
        f"{acme.witness_url}/v1/payment_methods/{method.method_ref}",
        data={f"card[{name}]": value for name, value in card.items()},
        headers={"Authorization": "Bearer sk_test_company"},
        timeout=5,
    ).raise_for_status()


def test_a_card_that_was_renewed_at_the_provider_is_tried_once_where_its_data_were_the_trouble(acme: Company) -> None:
    profile = acme.customer("a1", method="pm_card_chargeDeclinedExpiredCard")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(START + timedelta(days=1))
    _renew_card(acme, profile, exp_year=2031)
    acme.settle()
    _renew_card(acme, profile, exp_year=2031)
    acme.settle()
    invoice = acme.invoices()[0]
    assert [(each.status, each.scheduled) for each in acme.payments(invoice)] == [
        ("declined", True),
        ("declined", False),
    ]
    assert (invoice.dunning_step, invoice.waits_for_method) == (0, True)
    assert invoice.next_attempt_at == START + timedelta(days=3)
    with acme.begin() as session:
        method = default_method(session, profile)
    assert method is not None
    assert method.exp_year == 2031


def test_a_lost_card_that_was_renewed_stays_lost(acme: Company) -> None:
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedLostCard")
    acme.subscribe("a1", "s1")
    acme.settle()
    _renew_card(acme, profile, exp_year=2031)
    acme.settle()
    assert len(acme.payments()) == 1
