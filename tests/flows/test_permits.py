"""Permits against a real database and a stand-in that really limits: shared, adaptive, and closed in an outage."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
import requests
from sqlalchemy import select, text

from billing.flows import collection, renewal
from billing.flows.parts import Parts
from billing.kernel.errors import NoPermit, ProviderRefused, ProviderUnavailable
from billing.models import ProviderEvent, ProviderRate, Slice
from billing.queue.names import COLLECTIONS_CHARGE, RENEWALS_BILL
from billing.rules.breaker import TRIP
from billing.rules.rate import HEADROOM, Rank
from tests.flows.company import START, Company
from tests.flows.handling import process


def with_limit(acme: Company, calls_per_s: float, **more: Any) -> Parts:
    """Parts as another process would have them, with permits of its own and this limit by setting."""
    settings = acme.parts.settings.model_copy(update={"billing_provider_calls_per_s": calls_per_s, **more})
    return replace(acme.parts, settings=settings, permits={})


def stand_in_allows(acme: Company, per_s: float) -> None:
    wish = {"rate_limit_per_s": per_s}
    requests.post(f"{acme.witness_url}/_sandbox/config", json=wish, timeout=5).raise_for_status()


def account_row(acme: Company) -> ProviderRate:
    with acme.begin() as session:
        return session.scalars(select(ProviderRate).where(ProviderRate.endpoint == "")).one()


def keep_asking(acme: Company, processes: list[Parts], *, seconds: float) -> Counter[str]:
    """Each reads an intent from four threads, as often as it may. Returns how often which answer came."""
    answers: Counter[str] = Counter()
    start = Barrier(4 * len(processes))

    def ask(parts: Parts) -> None:
        provider = parts.provider(acme.account_id, rank=Rank.CHARGES)
        start.wait()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                provider.read_intent("pi_none")
            except NoPermit:
                answers["none"] += 1
            except ProviderUnavailable:
                answers["429"] += 1
            except ProviderRefused:
                answers["answered"] += 1

    with ThreadPoolExecutor(4 * len(processes)) as pool:
        for parts in processes:
            for _ in range(4):
                pool.submit(ask, parts)
    return answers


def test_two_processes_share_one_cap_and_meet_no_429(acme: Company) -> None:
    stand_in_allows(acme, 40)
    asked = keep_asking(acme, [with_limit(acme, 40), with_limit(acme, 40)], seconds=3.0)
    assert asked["429"] <= 0.05 * asked["answered"]
    assert 40 * HEADROOM * 3 * 0.5 <= asked["answered"] <= 40 * 3 + 10


def test_a_cap_below_the_setting_is_found_and_kept(acme: Company) -> None:
    stand_in_allows(acme, 12)
    processes = [with_limit(acme, 40), with_limit(acme, 40)]
    keep_asking(acme, processes, seconds=3.0)
    assert account_row(acme).throttled > 0
    assert account_row(acme).rate_per_s < 35
    later = keep_asking(acme, processes, seconds=2.0)
    assert later["429"] < later["answered"]


def test_retry_after_holds_all_processes(acme: Company) -> None:
    acme.witness.add_faults({"kind": "rate_limit", "next": 1, "retry_after_s": 30})
    first, second = with_limit(acme, 100), with_limit(acme, 100)
    with pytest.raises(ProviderUnavailable):
        first.provider(acme.account_id, rank=Rank.CHARGES).read_intent("pi_none")
    with pytest.raises(NoPermit) as held:
        second.provider(acme.account_id, rank=Rank.ON_SESSION).read_intent("pi_none")
    assert 25 < (held.value.retry_after_s or 0) <= 30


def test_a_lock_on_an_object_and_a_429_use_no_attempt_up_and_the_key_stays(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.witness.add_faults(
        {"kind": "lock_timeout", "next": 1, "path": "/v1/payment_intents"},
        {"kind": "rate_limit", "next": 1, "path": "/v1/payment_intents"},
    )
    acme.settle()
    (payment,) = acme.payments()
    assert (payment.status, payment.attempt_no) == ("succeeded", 1)
    assert len(list(acme.witness.charges())) == 1
    assert account_row(acme).throttled == 1


def provider_goes_away(acme: Company) -> None:
    """Every connection breaks before anything is done."""
    acme.witness.add_faults({"kind": "timeout_before", "rate": 1.0, "ms": 0})


def breaker_opens(acme: Company) -> None:
    provider_goes_away(acme)
    provider = acme.parts.provider(acme.account_id, rank=Rank.RESOLVER)
    for _ in range(TRIP):
        with pytest.raises(ProviderUnavailable):
            provider.read_intent("pi_none")
    breaker_stays_open(acme, "1 hour")


def breaker_stays_open(acme: Company, interval: str) -> None:
    """From now on for so long; tests don't wait for it."""
    with acme.parts.begin() as session:
        row = text("UPDATE billing.provider_rate SET open_until = clock_timestamp() + CAST(:interval AS interval)")
        session.execute(row, {"interval": interval})


def asked_so_far(acme: Company) -> int:
    return acme.witness.state().requests


def test_an_open_breaker_stops_all_ranks_at_once_and_one_probe_closes_it(acme: Company) -> None:
    breaker_opens(acme)
    before = asked_so_far(acme)
    for rank in Rank:
        with pytest.raises(NoPermit):
            acme.parts.provider(acme.account_id, rank=rank).read_intent("pi_none")
    assert asked_so_far(acme) == before
    acme.witness.clear_faults()
    elsewhere = with_limit(acme, 100).provider(acme.account_id, rank=Rank.RESOLVER)

    def taken_up() -> bool:
        # The first probe may meet a connection that was broken before.
        breaker_stays_open(acme, "0")
        with pytest.raises((ProviderRefused, ProviderUnavailable)) as answer:
            elsewhere.read_intent("pi_none")
        return answer.type is ProviderRefused

    acme.wait_for(taken_up)
    assert account_row(acme).open_until is None
    assert asked_so_far(acme) == before + 1


def test_while_the_provider_is_away_nothing_is_planned_opened_or_used_up(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    breaker_opens(acme)
    before = asked_so_far(acme)
    acme.sweep()
    (invoice,) = acme.invoices()
    assert acme.payments() == []
    assert (invoice.status, invoice.dunning_step, invoice.next_attempt_at) == ("open", 0, START)
    assert asked_so_far(acme) == before
    acme.witness.clear_faults()
    breaker_stays_open(acme, "0")
    acme.settle()
    (payment,) = acme.payments()
    assert (payment.status, payment.attempt_no) == ("succeeded", 1)


def test_an_event_uses_no_try_up_while_the_provider_is_away(acme: Company) -> None:
    acme.customer("a1", method="pm_sandbox_processing")
    acme.subscribe("a1", "s1")
    acme.settle()
    breaker_opens(acme)
    again = """UPDATE billing.provider_event SET status = 'received', tries = 0, handled_at = NULL
               WHERE type = :type RETURNING id"""
    with acme.begin() as session:
        event = session.execute(text(again), {"type": "payment_intent.processing"}).scalar_one()
        session.commit()
    assert process(acme.parts, event) == "received"
    with acme.begin() as session:
        row = session.get_one(ProviderEvent, event)
        assert (row.status, row.tries) == ("received", 0)


def test_no_more_is_planned_than_the_account_can_take_soon(acme: Company) -> None:
    for number in range(6):
        acme.customer(f"a{number}")
        acme.subscribe(f"a{number}", f"s{number}")
    slow = with_limit(acme, 1.0)
    slow.provider(acme.account_id).permits.take("account.read", Rank.CHARGES, wanted=1)
    renewal.plan(slow)
    acme.line.messages.clear()
    with acme.begin() as session:
        for id_ in session.scalars(select(Slice.id).where(Slice.kind == "renewals")):
            renewal.bill(slow, id_)
        planned = sum(len(row) for row in session.scalars(select(Slice.member_ids).where(Slice.kind == "charges")))
        assert planned == 1
    assert collection.plan(slow) == 0
    fast = with_limit(acme, 100.0)
    fast.provider(acme.account_id).permits.take("account.read", Rank.ON_SESSION, wanted=1)
    assert collection.plan(fast) == 5


def test_an_attempt_without_a_permit_in_time_is_given_back_unsent(acme: Company) -> None:
    for number in range(5):
        acme.customer(f"a{number}")
        acme.subscribe(f"a{number}", f"s{number}")
    renewal.plan(acme.parts)
    for id_ in [ids[0] for task, ids in acme.line.messages if task is RENEWALS_BILL]:
        renewal.bill(acme.parts, UUID(id_))
    (id_,) = next(ids for task, ids in acme.line.messages if task is COLLECTIONS_CHARGE)
    acme.line.messages.clear()
    collection.charge(with_limit(acme, 1.0), UUID(id_))
    statuses = Counter(payment.status for payment in acme.payments())
    assert statuses["not_sent"] >= 2
    assert statuses["not_sent"] + statuses["succeeded"] == 5
    assert {payment.first_sent_at is None for payment in acme.payments() if payment.status == "not_sent"} == {True}
    acme.settle()
    assert Counter((payment.status, payment.attempt_no) for payment in acme.payments()) == {("succeeded", 1): 5}


def test_after_the_databases_clock_was_put_back_charges_go_on(acme: Company) -> None:
    """Its rows then lie a day ahead: neither a permit nor a pause is waited for that long."""
    acme.customer("a1")
    with acme.parts.begin() as session:
        session.execute(
            text(
                "UPDATE billing.provider_rate SET grown_at = grown_at + interval '1 day',"
                " next_at = next_at + interval '1 day', open_until = now() + interval '1 day'"
            )
        )
    acme.subscribe("a1", "s1")
    acme.settle()
    assert [each.status for each in acme.invoices()] == ["paid"]
    assert account_row(acme).open_until is None
