"""A customer's PayPal wallet is begun and completed through the API, as a card is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from billing.flows import api_keys
from billing.flows.order import Order
from billing.models import Profile
from billing.sandbox.paypal.doors import approve
from billing.sandbox.scenario.playing.stage import Stage
from tests.api.program import ALL, Program, application
from tests.wallets import anna_of, paypal_stage


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    with paypal_stage(database_url) as made:
        yield made


def test_a_wallet_is_begun_agreed_to_and_completed(stage: Stage) -> None:
    profile = anna_of(stage)
    reached = stage.parts.settings.model_copy(update={"billing_public_url": "https://pay.example.com"})
    parts = replace(stage.parts, settings=reached)
    with parts.begin() as session:
        seller_id = session.get_one(Profile, profile).seller_id
    order = Order(actor="ada", reason="the shop needs one")
    key = api_keys.create(parts, seller_id=seller_id, name="shop", scopes=ALL, order=order)
    shop = Program(application(parts), key.token)
    begin = {"profile_id": str(profile), "provider": "paypal", "consent_text_version": "v1",
             "consent_at": "2026-01-14T10:00:00Z"}  # fmt: skip
    begun = shop.ok("POST", "/payment-methods", begin)
    assert (begun["provider"], begun["client_secret"]) == ("paypal", None)
    assert begun["approve_url"]
    path = f"/payment-methods/{begun['id']}"
    assert shop.refused("POST", f"{path}/complete") == (409, "setup_not_complete")
    approve(stage.sides["paypal"].stand_in, begun["setup_ref"], {})
    made = shop.ok("POST", f"{path}/complete")
    assert (made["status"], made["kind"], made["is_default"]) == ("active", "paypal", True)
