"""How the process says that it is there: alive whatever is away, ready when database and broker answer."""

from __future__ import annotations

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
