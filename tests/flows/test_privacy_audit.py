"""Nothing personal reached the provider; a leak that is planted at its door is found, and its value not repeated."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

import requests

from billing.commands.profile.change import change_profile
from billing.flows import privacy_audit
from billing.flows.parts import Parts
from billing.models import Profile
from billing.providers.paypal.client import PayPalClient
from billing.providers.paypal.failures import CallFailed
from billing.providers.stripe.witness import WitnessedRequest
from billing.sandbox.paypal.serving import mounted
from billing.sandbox.scenario.playing.stage import Stage
from billing.validators.profile import Personal, ProfileChange
from tests.flows.company import company
from tests.stages import staged
from tests.wallets import START, anna_of, bill, give


def test_nothing_personal_reaches_the_provider_and_a_planted_leak_is_found(database_url: str) -> None:
    # Not the usual company: its own end finds the leak, too.
    with company(database_url) as acme:
        acme.customer("a1")
        acme.subscribe("a1", "s1")
        acme.settle()
        report = privacy_audit.run(acme.parts, [acme.witness])
        assert report.leaks == ()
        assert report.requests >= 3
        assert report.values >= 8
        hidden = base64.b64encode(b"person A1").decode()
        requests.get(
            f"{acme.witness_url}/v1/charges",
            params={"limit": "1", "starting_after": hidden},
            headers={"Authorization": "Bearer sk_test_company"},
            timeout=5,
        )
        report = privacy_audit.run(acme.parts, [acme.witness])
        found = {leak.what for leak in report.leaks}
        assert "holds a profile.name" in found
        assert "not on the list: starting_after" in found
        assert hidden not in str(report)


ANNA = Personal(name="Anna Węgrzyn", email="anna.w@example.org")
LEAKS = {
    "plain": {"payee": "Anna Węgrzyn"},
    "url-encoded": {"payee": quote("anna.w@example.org", safe="")},
    "base64": {"payee": base64.b64encode(b"anna.w@example.org").decode()},
    "split": {"given": "Weg", "sur": "rzyn"},
    "lower-cased": {"payee": {"of": ["annawegrzyn"]}},
    "as a parameter's name": {"anna.w@example.org": "1"},
}


def test_a_personal_value_in_paypals_request_log_is_found_however_it_is_spelt(database_url: str) -> None:
    with staged(database_url, now=START) as stage:
        profile_id = anna_of(stage)
        _named(stage.parts, profile_id)
        give(stage, profile_id, "B-SANDBOX-GOOD")
        bill(stage, profile_id)
        witness = stage.sides["paypal"].witness
        before = privacy_audit.run(stage.parts, [witness])
        assert (before.leaks, before.values >= 2, before.requests >= 2) == ((), True, True)
        for how, leak in LEAKS.items():
            _asked(stage, "/v2/checkout/orders", leak)
            assert _found_in_the_last(stage) == {"holds", "not on the list"}, how
        # What may be said has a shape: a name does not pass in an id's place, nor as a key, nor in an address.
        _asked(stage, "/v2/checkout/orders", {"purchase_units": [{"custom_id": "Anna", "invoice_id": "Wegrzyn"}]})
        assert _found_in_the_last(stage) == {"holds", "not on the list"}
        _asked(stage, "/v2/checkout/orders", {}, key="anna.w@example.org")
        assert _found_in_the_last(stage) == {"holds", "not on the list"}
        for path in ("/v2/payments/captures/anna.w%40example.org/refund", "/v2/people/anna.w%40example.org"):
            _asked(stage, path, {})
            assert _found_in_the_last(stage) == {"holds", "not on the list"}, path
        _asked(stage, "/v2/checkout/orders?payee=Anna+W%C4%99grzyn", {})
        assert _found_in_the_last(stage) == {"holds", "not on the list"}
        mounted(
            stage.sides["paypal"].stand_in, "POST", "http://stand-in/v2/checkout/orders", {}, "<Anna Węgrzyn>".encode()
        )
        assert _found_in_the_last(stage) == {"holds", "not on the list"}


def _named(parts: Parts, profile_id: UUID) -> None:
    with parts.begin() as session:
        profile = session.get_one(Profile, profile_id)
        change = ProfileChange(
            country=profile.country, personal=ANNA, timezone=profile.timezone, buyer_kind=profile.buyer_kind
        )
        change_profile(session, parts.keyring, profile_id=profile_id, change=change, now=START)


def _asked(stage: Stage, path: str, body: dict[str, object], *, key: str = "leak") -> None:
    """Somebody's code tells PayPal more than it should."""
    careless = PayPalClient(
        lambda method, url, headers, sent: mounted(stage.sides["paypal"].stand_in, method, url, headers, sent),
        base_address="http://stand-in",
        client_id="sb-simulate",
        client_secret="other",
    )
    with suppress(CallFailed):
        careless.post(path, body, key=key)


@dataclass(frozen=True, slots=True)
class _Last:
    """A witness that saw one request."""

    request: WitnessedRequest
    providers: tuple[str, ...] = ("paypal",)

    def requests(self) -> list[WitnessedRequest]:
        return [self.request]


def _found_in_the_last(stage: Stage) -> set[str]:
    """In which ways the newest request was found out; what it told is not repeated."""
    *_, last = stage.sides["paypal"].witness.requests()
    found = privacy_audit.run(stage.parts, [_Last(last)]).leaks
    assert not any(value in str(each.what) for each in found for value in ("Anna", "Węgrzyn", "Wegrzyn"))
    return {"holds" if each.what.startswith("holds") else "not on the list" for each in found}
