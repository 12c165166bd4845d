"""How the process says that it is there: alive whatever is away, ready when database and broker answer."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from billing.webhooks.app import create_app
from tests.flows.company import Company, company


@pytest.mark.parametrize("away", ["redis://127.0.0.1:1/0", "amqp://127.0.0.1:1//"])
def test_who_is_not_ready_says_what_is_away_and_is_alive(database_url: str, broker_url: str, away: str) -> None:
    def asked(acme: Company, url: str) -> tuple[int, object]:
        settings = acme.parts.settings.model_copy(update={"broker_url": url})
        browser = create_app(replace(acme.parts, settings=settings)).test_client()
        assert browser.get("/healthz").json == {"status": "alive"}
        told = browser.get("/readyz")
        return told.status_code, told.json

    with company(database_url) as acme:
        assert asked(acme, broker_url) == (200, {"database": True, "broker": True})
        assert asked(acme, away) == (503, {"database": True, "broker": False})


def test_who_asks_again_within_a_second_is_told_the_same_and_opens_no_connection(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may ask."""
    asked: list[str] = []
    monkeypatch.setattr("billing.webhooks.readiness.reach", asked.append)
    at = time.monotonic()
    monkeypatch.setattr("billing.webhooks.readiness.monotonic", lambda: at)
    with company(database_url) as acme:
        browser = create_app(acme.parts).test_client()
        assert [browser.get("/readyz").status_code for _ in range(20)] == [200] * 20
        assert len(asked) == 1
        at += 1.0
        browser.get("/readyz")
        assert len(asked) == 2
