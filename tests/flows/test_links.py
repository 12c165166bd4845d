"""Links to the customer's page: made for an invoice or a customer, opened until they expire or are taken back."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from billing.flows import links
from billing.flows.order import Order
from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.privacy.keyring import Keyring, generate
from billing.privacy.link import LinkKind
from tests.flows.company import Company

ORDER = Order(actor="ada", reason="the mail went to the wrong address")


@pytest.fixture
def reachable(acme: Company) -> Company:
    """A company whose customers reach its pages."""
    settings = acme.parts.settings.model_copy(update={"billing_public_url": "https://pay.example.com/"})
    acme.parts = replace(acme.parts, settings=settings)
    return acme


def _token(company: Company, profile_id: UUID) -> str:
    with company.parts.begin() as session:
        return links.profile_link(company.parts, session, profile_id).removeprefix("https://pay.example.com/pay/")


def _refusal(company: Company, token: str) -> str:
    with company.parts.begin() as session, pytest.raises(Refused) as refused:
        links.opened_link(company.parts, session, token)
    return refused.value.code


def test_a_link_opens_the_page_of_its_customer(reachable: Company) -> None:
    profile_id = reachable.customer("one")
    token = _token(reachable, profile_id)
    with reachable.parts.begin() as session:
        link, profile = links.opened_link(reachable.parts, session, token)
        assert (link.kind, profile.id) == (LinkKind.PROFILE, profile_id)


def test_a_link_to_an_invoice_opens_that_invoice(reachable: Company) -> None:
    profile_id = reachable.customer("one")
    reachable.subscribe("one", "one-basic")
    reachable.settle()
    (invoice,) = reachable.invoices()
    with reachable.parts.begin() as session:
        address = links.invoice_link(reachable.parts, session, invoice.id)
        link, profile = links.opened_link(reachable.parts, session, address.rpartition("/")[2])
        assert (link.kind, link.subject, profile.id) == (LinkKind.INVOICE, invoice.id, profile_id)


def test_a_key_that_is_being_rotated_out_still_opens_its_links(reachable: Company) -> None:
    old, profile_id = generate(), reachable.customer("one")
    reachable.parts = replace(reachable.parts, keyring=Keyring.from_setting(old))
    token = _token(reachable, profile_id)
    reachable.parts = replace(reachable.parts, keyring=Keyring.from_setting(f"{generate()},{old}"))
    with reachable.parts.begin() as session:
        assert links.opened_link(reachable.parts, session, token)[1].id == profile_id
    reachable.parts = replace(reachable.parts, keyring=Keyring.from_setting(generate()))
    assert _refusal(reachable, token) == "link_invalid"


def test_revoked_links_open_nothing_and_new_ones_do(reachable: Company) -> None:
    profile_id = reachable.customer("one")
    token = _token(reachable, profile_id)
    links.revoke_links(reachable.parts, profile_id, order=ORDER)
    assert _refusal(reachable, token) == "link_revoked"
    with reachable.parts.begin() as session:
        assert links.opened_link(reachable.parts, session, _token(reachable, profile_id))[1].id == profile_id


def test_a_link_is_refused_where_no_address_is_known(acme: Company) -> None:
    profile_id = acme.customer("one")
    settings = acme.parts.settings.model_copy(update={"billing_public_url": None})
    acme.parts = replace(acme.parts, settings=settings)
    assert not links.has_links(acme.parts)
    with acme.parts.begin() as session, pytest.raises(Refused) as refused:
        links.profile_link(acme.parts, session, profile_id)
    assert refused.value.code == "public_url_missing"


def test_a_link_to_nothing_is_refused(reachable: Company) -> None:
    with reachable.parts.begin() as session, pytest.raises(Refused) as refused:
        links.invoice_link(reachable.parts, session, new_id())
    assert refused.value.code == "invoice_not_found"
