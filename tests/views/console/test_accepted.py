"""An audit's finding at the console: all that it says, accepted with a reason, listed, revoked."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from billing.flows import auditing
from billing.kernel.ids import new_id
from billing.rules.permission import Role
from tests.flows.found import add_to, audited, finding, untrue_invoice
from tests.views.console.conftest import House, Person
from tests.views.console.ordered import limited, orders

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
    words = _words(page)
    tried = ada.post(f"/items/{item.id}", action="accept", reason=WHY, words=words, **{"try": "1"})
    assert "accepted, in just these words" in tried.text
    assert audited(house.acme).broken
    ada.post(f"/items/{item.id}", action="accept", reason=WHY, words=words, do="1")
    assert not audited(house.acme).broken
    today = ada.reads("/")
    assert "Accepted before" in today
    assert "/console/acceptances?state=in_force&amp;code=L4" in today
    listed = ada.reads("/acceptances?state=in_force&code=L4")
    assert WHY in listed
    first = re.findall(r'href="/console(/acceptances/[0-9a-f-]{36})"', listed)[0]
    page = ada.reads(first)
    assert WHY in page
    assert "work.accept" in page
    ada.post(f"{first}/do", action="revoke", reason="it can be undone", do="1")
    assert "acceptance.revoke" in ada.reads(first)
    assert audited(house.acme).broken


def test_what_was_not_on_the_page_is_not_accepted(house: House, ada: Person) -> None:
    item = finding(house.acme)
    words = _words(ada.reads(f"/items/{item.id}"))
    add_to(house.acme, item.subject_id, -1)
    audited(house.acme)
    answer = ada.post(f"/items/{item.id}", action="accept", reason=WHY, words=words, do="1")
    assert (answer.status_code, "reload" in answer.text) == (409, True)
    assert ada.post(f"/items/{item.id}", action="accept", reason=WHY, do="1").status_code == 409, "nor unseen"
    assert audited(house.acme).accepted == ()
    assert audited(house.acme).broken


def test_an_audit_that_says_the_same_meanwhile_is_no_hindrance(house: House, ada: Person) -> None:
    item = finding(house.acme)
    words = _words(ada.reads(f"/items/{item.id}"))
    audited(house.acme)
    assert ada.post(f"/items/{item.id}", action="accept", reason=WHY, words=words, do="1").status_code == 303
    assert not audited(house.acme).broken


def test_of_many_only_the_words_that_were_ordered_are_accepted_when_a_second_person_approves(house: House) -> None:
    limited(house, "0")
    untrue_invoice(house.acme)
    changed = untrue_invoice(house.acme, account="two")
    audited(house.acme)
    with house.acme.parts.begin() as session:
        # An audit names no amount; this has the order wait.
        session.execute(text("UPDATE billing.work_item SET amount_minor = 1190, currency = 'eur'"))
    fay, max_ = house.person("fay", Role.FINANCE), house.person("max", Role.FINANCE)
    chosen = {"kind": auditing.FINDING, "action": "accept", "reason": WHY}
    assert fay.post("/items", **chosen, order=str(new_id()), do="1").status_code == 303
    (row,) = orders(house)
    assert row.status == "waiting"
    add_to(house.acme, changed, -1)
    audited(house.acme)
    assert max_.post(f"/orders/{row.id}", decision="approve", reason="looks right").status_code == 303
    assert "accept: 1 refused, 1 changed" in max_.reads("/orders")
    report = audited(house.acme)
    assert {each.subject_id for each in report.violations} == {str(changed)}
    assert len({each.violation.subject_id for each in report.accepted}) == 1


def _words(page: str) -> str:
    (found,) = re.findall(r'name="words" value="([0-9a-f]{64})"', page)
    return str(found)


def test_who_may_only_read_sees_it_and_does_nothing(house: House, ada: Person) -> None:
    item = finding(house.acme)
    vera = house.person("vera", Role.VIEWER)
    assert '<option value="accept">' not in vera.reads(f"/items/{item.id}")
    assert vera.post(f"/items/{item.id}", action="accept", reason=WHY, do="1").status_code == 403
    assert ada.get(f"/acceptances/{item.id}").status_code == 404
