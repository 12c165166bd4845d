"""An answer about somebody else's payment, as a broken cache or proxy gives it: nobody pays with another's money."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing.providers.stripe.transport import BoundedClient
from tests.flows.company import START, Company


def test_who_is_told_of_anothers_payment_is_asked_about_again_and_charged_once(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.customer("first")
    acme.subscribe("first", "s1")
    kept: list[Any] = []
    send = BoundedClient.request

    def cached(self: BoundedClient, method: str, url: str, headers: Any, post_data: Any = None, **more: Any) -> Any:
        answer = send(self, method, url, headers, post_data, **more)
        if method.upper() != "POST" or not url.endswith("/v1/payment_intents"):
            return answer
        kept.append(answer)
        return kept[0] if len(kept) == 2 else answer

    monkeypatch.setattr(BoundedClient, "request", cached)
    acme.settle()
    acme.set_clock(START + timedelta(hours=1))
    acme.customer("second")
    acme.subscribe("second", "s2", start=START + timedelta(hours=1))
    acme.settle()
    assert [each.status for each in acme.invoices()] == ["paid", "paid"]
    booked = {each.charge_ref: each.amount_minor for each in acme.payments() if each.status == "succeeded"}
    assert booked == {each.charge_ref: 1190 for each in acme.witness.charges()}
    assert len(booked) == 2
    assert acme.violations() == ()
