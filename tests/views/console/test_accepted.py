"""An audit's finding at the console: all that it says, accepted with a reason, listed, taken back."""

from __future__ import annotations

import re

import pytest

from billing.rules.permission import Role
from tests.flows.found import add_to, audited, finding, untrue_invoice
from tests.views.console.conftest import House, Person

WHY = "lost with the database of 3 March"


@pytest.fixture
def ada(house: House) -> Person:
    untrue_invoice(house.acme)
    audited(house.acme)
    return house.person("ada", Role.OPERATOR)


def test_an_item_shows_all_that_the_audit_says_and_offers_to_accept_it(house: House, ada: Person) -> None:
    item = finding(house.acme)
    page = ada.reads(f"/items/{item.id}")
    assert item.findings is not None
    for each in item.findings:
        assert each["detail"].replace("'", "&#39;") in page
    assert '<option value="accept">' in page
    tried = ada.post(f"/items/{item.id}", action="accept", reason=WHY, **{"try": "1"})
    assert "accepted, in just these words" in tried.text
    assert audited(house.acme).broken
    ada.post(f"/items/{item.id}", action="accept", reason=WHY, do="1")
    assert not audited(house.acme).broken
    today = ada.reads("/")
    assert "Accepted before" in today
    assert "/console/accepted?state=in_force&amp;code=L4" in today
    listed = ada.reads("/accepted?state=in_force&code=L4")
    assert WHY in listed
    first = re.findall(r'href="/console(/accepted/[0-9a-f-]{36})"', listed)[0]
    page = ada.reads(first)
    assert WHY in page
    assert "work.accept" in page
    ada.post(f"{first}/do", action="take_back", reason="it can be undone", do="1")
    assert "finding.take_back" in ada.reads(first)
    assert audited(house.acme).broken


def test_what_was_not_on_the_page_is_not_accepted(house: House, ada: Person) -> None:
    item = finding(house.acme)
    (version,) = re.findall(r'name="version" value="(\d+)"', ada.reads(f"/items/{item.id}"))
    add_to(house.acme, item.subject_id, -1)
    audited(house.acme)
    answer = ada.post(f"/items/{item.id}", action="accept", reason=WHY, version=version, do="1")
    assert (answer.status_code, "reload" in answer.text) == (409, True)
    assert audited(house.acme).accepted == ()
    assert audited(house.acme).broken


def test_who_may_only_read_sees_it_and_does_nothing(house: House, ada: Person) -> None:
    item = finding(house.acme)
    vera = house.person("vera", Role.VIEWER)
    assert '<option value="accept">' not in vera.reads(f"/items/{item.id}")
    assert vera.post(f"/items/{item.id}", action="accept", reason=WHY, do="1").status_code == 403
    assert ada.get(f"/accepted/{item.id}").status_code == 404
