"""Permits against a real database and a stand-in that really limits: shared, adaptive, and closed in an outage."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
import requests
from sqlalchemy import select

from billing.flows.parts import Parts
from billing.kernel.errors import NoPermit, ProviderRefused, ProviderUnavailable
from billing.models import ProviderRate
from billing.rules.rate import HEADROOM, Rank
from tests.flows.company import Company


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
    stand_in_allows(acme, 30)
    processes = [with_limit(acme, 150), with_limit(acme, 150)]
    keep_asking(acme, processes, seconds=2.5)
    assert account_row(acme).rate_per_s < 60
    assert account_row(acme).throttled > 0
    later = keep_asking(acme, processes, seconds=2.0)
    assert later["429"] < later["answered"] / 4


def test_retry_after_holds_all_processes(acme: Company) -> None:
    acme.witness.add_faults({"kind": "rate_limit", "next": 1, "retry_after_s": 30})
    first, second = with_limit(acme, 100), with_limit(acme, 100)
    with pytest.raises(ProviderUnavailable):
        first.provider(acme.account_id, rank=Rank.CHARGES).read_intent("pi_none")
    with pytest.raises(NoPermit) as held:
        second.provider(acme.account_id, rank=Rank.ON_SESSION).read_intent("pi_none")
    assert 25 < (held.value.retry_after_s or 0) <= 30
