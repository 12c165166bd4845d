"""The sandbox's own doors at both stand-ins: what is malformed is refused there and then, and nothing breaks later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from billing.sandbox.paypal.app import create_app as paypal
from billing.sandbox.stripe.app import create_app as stripe
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store

GOOD = {"kind": "slow", "next": 1}


@dataclass(frozen=True)
class Doors:
    """A running stand-in: its own doors, and one request to the provider's API."""

    name: str
    url: str

    def tell(self, door: str, body: Any = None, *, raw: bytes | str | None = None) -> requests.Response:
        return requests.post(f"{self.url}/_sandbox/{door}", json=body, data=raw, timeout=10)

    def see(self, door: str) -> Any:
        return requests.get(f"{self.url}/_sandbox/{door}", timeout=10).json()

    def asked(self) -> int:
        """How one request to the API is answered."""
        if self.name == "stripe":
            return requests.post(f"{self.url}/v1/customers", auth=("sk_test_doors", ""), timeout=10).status_code
        token = requests.post(
            f"{self.url}/v1/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=("sb-doors", "secret"),
            timeout=10,
        ).json()["access_token"]
        return requests.post(
            f"{self.url}/v3/vault/payment-tokens",
            json={"payment_source": {"token": {"type": "BILLING_AGREEMENT", "id": "B-SANDBOX-GOOD"}}},
            headers={"Authorization": f"Bearer {token}", "PayPal-Request-Id": "doors"},
            timeout=10,
        ).status_code


@pytest.fixture(params=["stripe", "paypal"])
def doors(request: pytest.FixtureRequest) -> Iterator[Doors]:
    make = {"stripe": stripe, "paypal": paypal}[request.param]
    with serving(Store(MEMORY), seed=1, make=make) as standing:
        yield Doors(request.param, standing.url)


def refused(answer: requests.Response, field: str | None) -> str:
    """What a refusal says. It names the field where there is one."""
    assert answer.status_code == 400, (answer.status_code, answer.text[:200])
    error = answer.json()["error"]
    assert error.get("param") == field
    assert field is None or field in error["message"]
    return str(error["message"])


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("kind", {"kind": "explode", "next": 1}),
        ("kind", {"kind": ["slow"], "next": 1}),
        ("kind", {"next": 1}),
        ("when", {**GOOD, "when": "now"}),
        ("hits", {**GOOD, "hits": 0}),
        *(("ms", {**GOOD, "ms": ms}) for ms in ("x", -1, 1.5, True, [], 10**20)),
        *((name, {**GOOD, name: 5}) for name in ("path", "type", "account", "method")),
        ("method", {**GOOD, "method": "FETCH"}),
        *(("retry_after_s", {**GOOD, "retry_after_s": each}) for each in ("x", -1, False, 10**20)),
        *(("rate", {"kind": "slow", "rate": rate}) for rate in (True, 2, -0.1, "x", [])),
        *(("next", {"kind": "slow", "next": count}) for count in (-1, 0, 1.5, True, "x")),
        ("rate", {"kind": "slow", "rate": 1, "next": 1}),
        ("rate", {"kind": "slow"}),
    ],
)
def test_a_malformed_fault_is_refused_by_its_field_and_nothing_of_its_list_is_taken(
    doors: Doors, field: str, wrong: dict[str, Any]
) -> None:
    refused(doors.tell("faults", [GOOD, wrong, GOOD]), field)
    assert doors.see("faults") == []
    assert doors.asked() in (200, 201)


@pytest.mark.parametrize("wrong", [{"kind": "slow", "next": 1}, "slow", 5, [5], [None], [[]]])
def test_faults_are_a_list_of_objects(doors: Doors, wrong: object) -> None:
    refused(doors.tell("faults", wrong), None)
    assert doors.see("faults") == []


def test_faults_that_are_well_formed_are_taken_together(doors: Doors) -> None:
    whole = {"rate": 0.5, "path": "/v1/none", "method": "POST", "type": "charge.", "account": "a", "ms": 0}
    assert doors.tell("faults", [GOOD, {"kind": "rate_limit", "retry_after_s": 0.5, **whole}]).status_code == 200
    assert [fault["kind"] for fault in doors.see("faults")] == ["slow", "rate_limit"]
    assert doors.asked() in (200, 201)


@pytest.mark.parametrize(
    "wrong", [{}, {"now": ""}, {"now": 0}, {"now": False}, {"now": []}, {"now": "soon"}, {"now": "2026-01-31T10:00:00"}]
)
def test_a_clock_that_is_told_nonsense_stands_where_it_stood(doors: Doors, wrong: dict[str, Any]) -> None:
    stood = doors.tell("clock", {"now": "2026-01-31T09:00:00Z"}).json()
    refused(doors.tell("clock", wrong), "now")
    refused(doors.tell("clock", raw=b""), "now")
    assert doors.see("clock") == stood == {"now": "2026-01-31T09:00:00Z", "frozen": True}
    assert doors.tell("clock", {"now": None}).json()["frozen"] is False


@pytest.mark.parametrize("raw", [b"{", b'{"now": null', b"\xff", b"{'now': null}", b"[" * 100_000])
def test_what_is_no_json_is_refused_at_every_door(doors: Doors, raw: bytes) -> None:
    doors.tell("clock", {"now": "2026-01-31T09:00:00Z"})
    for door in ("clock", "faults", "config", "disputes", "refunds/x", "events/x/resend"):
        assert doors.tell(door, raw=raw).status_code == 400
    assert doors.see("clock")["frozen"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *(("max_confirms", value) for value in (1.5, True, -1, "x", 10**30)),
        *(("latency_ms", value) for value in (float(10**30), 10**30)),
        ("webhook_retries_ms", [0.5]),
        ("minimum_amounts", {"eur": 10**30}),
        ("settlement", {"eur": {"usd": 10**30}}),
        ("settlement", {"eur": {"usd": 0}}),
    ],
)
def test_a_setting_of_another_type_or_beyond_all_sense_is_refused(doors: Doors, name: str, wrong: object) -> None:
    stood = doors.see("config")
    refused(doors.tell("config", {"dispute_fee": 7, name: wrong}), name)
    assert doors.see("config") == stood


@pytest.mark.parametrize("query", ["limit=99999999999999999999", "after=99999999999999999999", "limit=-1", "after=x"])
def test_a_page_is_asked_for_in_numbers_that_there_are(doors: Doors, query: str) -> None:
    assert requests.get(f"{doors.url}/_sandbox/requests?{query}", timeout=10).status_code == 400


@pytest.mark.parametrize("charge", [5, True, [], {}, "\ud800"])
def test_a_dispute_names_its_charge_by_a_text(doors: Doors, charge: object) -> None:
    refused(doors.tell("disputes", {"charge": charge}), "charge")


@pytest.mark.parametrize(
    ("door", "field", "wrong"),
    [
        *(("disputes", "amount", {"charge": "ch_1", "amount": value}) for value in ("x", True, 1.5, 0, -1, [])),
        *(("disputes", "inquiry", {"charge": "ch_1", "inquiry": value}) for value in ("yes", 1)),
        *(("disputes/x/close", "status", {"status": value}) for value in (5, [], {}, None)),
        *(("refunds/x", "status", {"status": value}) for value in (5, [], "", "pending", None)),
        ("refunds/x", "status", {}),
    ],
)
def test_a_door_says_which_field_it_does_not_understand(doors: Doors, door: str, field: str, wrong: object) -> None:
    refused(doors.tell(door, wrong), field)


@pytest.fixture
def at_stripe() -> Iterator[Doors]:
    with serving(Store(MEMORY), seed=1, make=stripe) as standing:
        yield Doors("stripe", standing.url)


@pytest.mark.parametrize(
    ("door", "field", "wrong"),
    [
        ("disputes", "reason", {"charge": "ch_1", "reason": 5}),
        ("disputes", "currency", {"charge": "ch_1", "currency": ["eur"]}),
        ("disputes", "prevented", {"charge": "ch_1", "prevented": {}}),
        ("early_fraud_warnings", "charge", {"charge": []}),
        ("early_fraud_warnings", "fraud_type", {"charge": "ch_1", "fraud_type": 5}),
        ("mandates", "payment_method", {"payment_method": {}}),
        ("payouts", "reconciliation_status", {"reconciliation_status": []}),
        ("payouts/x", "status", {"status": 5}),
        *(("payment_methods/pm_x/renew", "exp_year", {"exp_year": value}) for value in ("2041", True, 41, 10**30)),
        *(("payment_methods/pm_x/renew", "exp_month", {"exp_month": value}) for value in (0, 13, "x")),
        *(("payment_methods/pm_x/renew", "last4", {"last4": value}) for value in (4242, "42424", "x")),
        ("payment_methods/pm_x/renew", "brand", {"brand": "visa"}),
        ("payment_methods/pm_x/renew", "exp_year", {}),
        *((f"payment_intents/x/{end}", "succeeded", {"succeeded": "no"}) for end in ("settle", "authenticate")),
        ("setup_intents/x/authenticate", "succeeded", {"succeeded": 0}),
        ("js/read", "client_secret", {"client_secret": []}),
        ("js/confirm_setup", "wallet", {"client_secret": "x", "wallet": []}),
        ("js/confirm_setup", "return_url", {"client_secret": "x", "return_url": 5}),
        ("js/confirm_setup", "iban", {"client_secret": "x", "iban": 5}),
        ("js/authenticate", "succeeded", {"client_secret": "x", "succeeded": "yes"}),
    ],
)
def test_a_door_of_stripes_says_which_field_it_does_not_understand(
    at_stripe: Doors, door: str, field: str, wrong: object
) -> None:
    refused(at_stripe.tell(door, wrong), field)
    assert at_stripe.asked() == 200


def test_only_a_card_is_renewed(at_stripe: Doors) -> None:
    asked = requests.Session()
    asked.auth = ("sk_test_doors", "")
    customer = asked.post(f"{at_stripe.url}/v1/customers", timeout=10).json()["id"]
    path = f"{at_stripe.url}/v1/payment_methods/pm_sandbox_sepa/attach"
    account = asked.post(path, data={"customer": customer}, timeout=10).json()["id"]
    assert at_stripe.tell(f"payment_methods/{account}/renew", {"exp_year": 2041}).status_code == 400


@pytest.mark.parametrize("wallet", [5, [], {}, "B-NONE"])
def test_a_wallet_is_named_by_a_text(wallet: object) -> None:
    with serving(Store(MEMORY), seed=1, make=paypal) as standing:
        answer = Doors("paypal", standing.url).tell("setup-tokens/x/approve", {"wallet": wallet})
        assert "wallet" in refused(answer, "wallet")
