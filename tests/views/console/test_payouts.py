"""Payouts in the console: what each took to the bank, movement by movement, and whether that is what is booked."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from billing.flows import movements
from billing.queries.operations import payouts
from billing.rules.permission import Role
from tests.flows.company import START
from tests.views.console.conftest import House, Person

NET = 2 * (1190 - 65)
"""Two payments of 11.90, each less a fee of 2.9 % and 0.30."""


@pytest.fixture
def ada(house: House) -> Person:
    for account in ("one", "two"):
        house.acme.customer(account)
        house.acme.subscribe(account, f"{account}-basic")
    house.acme.settle()
    movements.sweep(house.acme.parts)
    house.acme.set_clock(START + timedelta(hours=2))
    return house.person("ada", Role.VIEWER)


def _paid_out(house: House, **given: str) -> dict[str, Any]:
    (payout,) = house.acme.witness.call("POST", "payouts", given)
    movements.sweep(house.acme.parts)
    return dict(payout)


def _page(ada: Person) -> str:
    (path,) = set(re.findall(r'href="/console(/payouts/[0-9a-f-]{36})"', ada.reads("/payouts")))
    return ada.reads(path)


def _table(page: str, name: str) -> str:
    """A table's words, one space apart."""
    found = re.search(rf"<h2>{name}</h2>(.*?)</table>", page, re.DOTALL)
    assert found, name
    return " ".join(re.sub(r"<[^>]*>", " ", found[1]).split())


def test_one_is_told_movement_by_movement_beside_what_is_booked(house: House, ada: Person) -> None:
    payout = _paid_out(house)
    assert payout["amount"] == NET
    page = _page(ada)
    for told in ("ACME-000001", "ACME-000002", "one", "two", "11.90 EUR", "0.65 EUR", "11.25 EUR"):
        assert told in _table(page, "Movements")
    assert _table(page, "Books").endswith("ACME 22.50 EUR 22.50 EUR 0.00 EUR")
    assert "Person one" not in page


def test_what_the_provider_does_not_list_yet_is_said(house: House, ada: Person) -> None:
    _paid_out(house, reconciliation_status="in_progress")
    assert "not_listed" in _table(_page(ada), "Movements")


def test_a_long_one_is_told_in_part_and_how_many_there_are(
    house: House, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payouts, "SHOWN", 1)
    _paid_out(house)
    page = _page(ada)
    assert _table(page, "Movements").count("ACME-") == 1
    assert re.search(r"Movements in all</dt>\s*<dd>2<", page)
    assert _table(page, "Books").endswith("22.50 EUR 22.50 EUR 0.00 EUR")


def test_it_is_found_by_the_providers_id_and_by_its_state(house: House, ada: Person) -> None:
    payout = _paid_out(house)
    answer = ada.get(f"/search?q={payout['id']}")
    assert (answer.status_code, "/console/payouts/" in answer.headers["Location"]) == (303, True)
    assert payout["id"] in ada.reads("/payouts?status=in_transit")
    assert payout["id"] not in ada.reads("/payouts?status=failed")
    assert f"{payout['id']},in_transit,{NET},eur" in ada.get("/payouts?format=csv").text
    assert ada.get(f"/payouts/{house.acme.seller_id}").status_code == 404
