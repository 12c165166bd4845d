"""An answer shows what its request wrote, though another host's clock was ahead when it wrote before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest

from billing.kernel import ids
from tests.api.program import Program, anna, basic
from tests.flows.company import Company

_WHY = {"reason": "agreed on the phone"}


@pytest.fixture
def own_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each host goes by its own clock: not by the database's."""
    monkeypatch.setattr("billing.db.session.keep_to", lambda _wall_ns: None)


@contextmanager
def _a_host_ahead(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(ids, "_ticks", ahead := ids._Ticks())
        ahead.offset_ns = 5_000_000_000
        yield


@pytest.mark.usefixtures("own_clocks")
def test_a_charge_is_answered_with_its_own_invoice(shop: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = shop.ok("POST", "/profiles", anna())["id"]

    def charge(amount_minor: int) -> int:
        asked = _WHY | {"amount_minor": amount_minor, "currency": "eur", "description": "a mug"}
        made: int = shop.ok("POST", f"/profiles/{customer}/charge", asked)["subtotal_minor"]
        return made

    with _a_host_ahead(monkeypatch):
        assert charge(100) == 100
    assert charge(99900) == 99900


@pytest.mark.usefixtures("own_clocks")
def test_a_refund_is_answered_with_its_own_refunds(
    acme: Company, shop: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = anna()
    acme.give_method(UUID(shop.ok("POST", "/profiles", customer)["id"]), "pm_card_visa")
    invoice = shop.ok("POST", "/subscriptions", basic(customer))["latest_invoice"]["id"]
    acme.settle()

    def refund(amount_minor: int) -> list[int]:
        made = shop.ok("POST", f"/invoices/{invoice}/refund", _WHY | {"amount_minor": amount_minor})
        return [each["amount_minor"] for each in made["refunds"]]

    with _a_host_ahead(monkeypatch):
        assert refund(100) == [100]
    assert refund(200) == [200]


@pytest.mark.usefixtures("own_clocks")
def test_a_replacement_is_answered_with_its_own_documents(shop: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = anna()
    shop.ok("POST", "/profiles", customer)
    invoice = shop.ok("POST", "/subscriptions", basic(customer))["latest_invoice"]
    with _a_host_ahead(monkeypatch):
        first = shop.ok("POST", f"/invoices/{invoice['id']}/replace", _WHY)
    second = shop.ok("POST", f"/invoices/{first['replaced_by']['id']}/replace", _WHY)
    for made, number in ((first, invoice["number"]), (second, first["replaced_by"]["number"])):
        assert made["invoice"]["number"] == number
        assert (made["credit_note"]["kind"], made["replaced_by"]["kind"]) == ("credit_note", "invoice")
    assert second["replaced_by"]["number"] not in (invoice["number"], first["replaced_by"]["number"])
