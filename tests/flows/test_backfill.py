"""Backfill: what no delivery brought is found in the provider's list of events, once, from where that was read to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from billing.flows import backfill
from billing.flows.handlers import HANDLERS
from billing.kernel.errors import ProviderUnreadable
from billing.models import ProviderAccount, ProviderEvent
from billing.providers.reading import Unreadable
from tests.flows.company import START, Company


def _drop_deliveries(acme: Company) -> None:
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})


def _refs(acme: Company) -> set[str]:
    with acme.begin() as session:
        return set(session.scalars(select(ProviderEvent.event_ref).where(ProviderEvent.type.in_(HANDLERS))))


def _stored(acme: Company) -> int:
    return len(_refs(acme))


def _read_to(acme: Company) -> datetime | None:
    with acme.begin() as session:
        return session.get_one(ProviderAccount, acme.account_id).events_read_to


def test_what_was_never_delivered_is_found_in_the_list_and_settles(acme: Company) -> None:
    assert backfill.sweep(acme.parts) == 0
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    _drop_deliveries(acme)
    acme.pay_behind_our_back(profile)
    acme.settle()
    assert acme.invoices()[0].status == "open"

    acme.set_clock(START + timedelta(hours=5))
    assert "E4" in {each.code for each in acme.violations()}
    assert backfill.sweep(acme.parts) > 0
    acme.settle()

    assert acme.invoices()[0].status == "paid"
    happened = {each.event_ref for each in acme.witness.events() if each.type in HANDLERS}
    with acme.begin() as session:
        unsigned = set(session.scalars(select(ProviderEvent.type).where(ProviderEvent.secret_index.is_(None))))
    assert happened == _refs(acme)
    assert "payment_intent.succeeded" in unsigned
    assert acme.violations() == ()


def test_a_known_event_costs_no_row_and_the_list_is_read_from_where_it_was_read_to(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    (filled,) = backfill.backfill(acme.parts)
    before = _stored(acme)
    assert (filled.listed, filled.new) == (before, 0)
    assert _read_to(acme) == START - backfill.OVERLAP
    acme.set_clock(START + timedelta(days=2))
    (filled,) = backfill.backfill(acme.parts)
    assert (filled.listed, filled.from_at) == (before, START - backfill.OVERLAP)
    acme.set_clock(START + timedelta(days=4))
    (filled,) = backfill.backfill(acme.parts)
    assert (filled.listed, _stored(acme)) == (0, before)
    (filled,) = backfill.backfill(acme.parts, since=START)
    assert (filled.listed, filled.new) == (before, 0)


def test_a_reading_that_is_cut_short_goes_on_where_it_stood(acme: Company) -> None:
    assert backfill.sweep(acme.parts) == 0
    _drop_deliveries(acme)
    for hour in (2, 5):
        acme.set_clock(START + timedelta(hours=hour))
        acme.customer(f"a{hour}")
        acme.subscribe(f"a{hour}", f"s{hour}", start=START + timedelta(hours=hour))
        acme.settle()
    found = []
    acme.set_clock(START + timedelta(hours=7))
    while (_read_to(acme) or START) <= START + timedelta(hours=5):
        found.append(backfill.sweep(acme.parts, budget_s=0))
        assert len(found) < 50
    assert sum(1 for each in found if each) == 2
    acme.settle()
    assert {each.event_ref for each in acme.witness.events() if each.type in HANDLERS} == _refs(acme)


def test_a_window_that_is_too_full_is_read_in_narrower_ones_however_little_time_there_is(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each sweep would begin with the same wide window, give it up, and never come further."""
    assert backfill.sweep(acme.parts) == 0
    acme.set_clock(START + timedelta(minutes=5))
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(START + timedelta(hours=5))
    monkeypatch.setattr(backfill, "PACE", replace(backfill.PACE, many=2))
    backfill.sweep(acme.parts, budget_s=0)
    assert (_read_to(acme) or START) > START


def test_an_account_that_can_not_be_asked_waits_for_the_next_tick(acme: Company) -> None:
    assert backfill.sweep(acme.parts) == 0
    acme.set_clock(START + timedelta(hours=2))
    acme.revoke_key()
    assert backfill.sweep(acme.parts) == 0
    assert _read_to(acme) == START
    acme.restore_key()
    assert backfill.sweep(acme.parts) == 0
    assert _read_to(acme) == START + timedelta(hours=1)


def test_a_list_that_can_not_be_read_fails_its_tick_so_that_somebody_is_told(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.customer("a1")
    backfill.sweep(acme.parts)
    acme.set_clock(START + timedelta(hours=2))

    def cut_short(raw: object) -> None:
        raise Unreadable("type")

    monkeypatch.setattr("billing.providers.stripe.listing.event_facts", cut_short)
    with pytest.raises(ProviderUnreadable, match="answer_unreadable_type"):
        backfill.sweep(acme.parts)
    assert _read_to(acme) == START


def test_what_the_list_no_longer_goes_back_to_is_passed_over_and_the_rest_read_once(acme: Company) -> None:
    assert backfill.sweep(acme.parts) == 0
    acme.set_clock(START + timedelta(days=40))
    _drop_deliveries(acme)
    acme.customer("a1")
    acme.subscribe("a1", "s1", start=START + timedelta(days=40))
    acme.settle()
    acme.set_clock(START + timedelta(days=41))
    assert backfill.sweep(acme.parts) > 0
    assert _read_to(acme) == START + timedelta(days=41) - backfill.OVERLAP
    asked = len(list(acme.witness.requests()))
    assert backfill.sweep(acme.parts) == 0
    assert len(list(acme.witness.requests())) == asked
