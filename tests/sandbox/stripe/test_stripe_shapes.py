"""The stand-in's objects and parameters, held against what Stripe publishes (see shapes/README.md).

The SDK that the engine pins speaks 2026-10-28.endive; the published schemas at hand are 2026-08-26.dahlia and the
fixtures name no version. Where they differ, the SDK decides, and the difference is named below with its reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import stripe

from billing.sandbox.stripe.params import Field
from billing.sandbox.stripe.routes import ROUTES
from tests.sandbox.stripe.making import CARD, World, refusal

HERE = Path(__file__).parent / "shapes"
OPENAPI = json.loads((HERE / "openapi.json").read_text())
FIXTURES = json.loads((HERE / "fixtures.json").read_text())

GONE_IN_ENDIVE = {"payment_method_types"}
"""A parameter until dahlia; since 2026-09-30.endive refused by name (`payment_method_types_no_longer_supported`)."""

NOT_IN_THE_FIXTURES = {
    "payment_intent": {"allowed_payment_method_types"},  # came with 2026-07-29.dahlia; the fixtures are older
    "setup_intent": {"allowed_payment_method_types", "customer_account"},  # the latter is in the schemas
    "refund": {"failure_reason", "failure_balance_transaction"},  # shown on a refund that failed; the fixture's did not
}
ONLY_IN_THE_FIXTURES = {
    # Objects from before PaymentIntents still carry a source; the stand-in makes none of those.
    "payment_intent": {"source", "managed_payments"},  # managed payments are for accounts that were given them
    "charge": {"source", "refunds"},  # refunds are listed only where expanded (since 2022-11-15)
    # Sections of a full account that the engine never reads.
    "account": {"external_accounts", "future_requirements", "requirements", "settings", "tos_acceptance"},
}

SDK_CLASSES: dict[str, Any] = {
    "customer": stripe.Customer,
    "payment_method": stripe.PaymentMethod,
    "setup_intent": stripe.SetupIntent,
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "refund": stripe.Refund,
    "dispute": stripe.Dispute,
    "balance_transaction": stripe.BalanceTransaction,
    "event": stripe.Event,
    "webhook_endpoint": stripe.WebhookEndpoint,
    "account": stripe.Account,
}


BY_THE_SDK: dict[str, Any] = {
    "GET mandates/{}": {
        "names": {name: {} for name in stripe.params.MandateRetrieveParams.__annotations__},
        "required": [],
    },
    "GET payment_method_domains": {
        "names": {name: {} for name in stripe.params.PaymentMethodDomainListParams.__annotations__},
        "required": [],
    },
    "POST payment_method_domains": {
        "names": {name: {} for name in stripe.params.PaymentMethodDomainCreateParams.__annotations__},
        "required": ["domain_name"],
    },
    "GET payouts": {"names": {name: {} for name in stripe.params.PayoutListParams.__annotations__}, "required": []},
    "GET payouts/{}": {
        "names": {name: {} for name in stripe.params.PayoutRetrieveParams.__annotations__},
        "required": [],
    },
}
"""What the published file was cut without; the SDK's own types name it."""


def check(kind: str, body: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{kind}", "components": OPENAPI["components"]}
    jsonschema.Draft202012Validator(schema).validate(body)


@pytest.fixture
def shown(world: World) -> dict[str, list[Any]]:
    """Every kind of object in every state that the stand-in can bring it into, as plain JSON."""
    world.tell("config", {"refunds_pending": False})
    world.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/hook", "enabled_events": ["charge.updated"]})
    paid = world.pay()
    world.v1.refunds.create({"payment_intent": paid.id, "amount": 100})
    world.tell(f"refunds/{world.v1.refunds.create({'payment_intent': paid.id}).id}", {"status": "failed"})
    refusal(lambda: world.pay("pm_card_chargeDeclined"), stripe.CardError)
    world.pay("pm_card_authenticationRequired", off_session=False)
    world.pay("pm_sandbox_processing")
    world.pay(capture_method="manual")
    automatic = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    canceled = world.v1.payment_intents.create({"amount": 900, "currency": "usd", **automatic})
    world.v1.payment_intents.cancel(canceled.id)
    for name in ("pm_card_visa", "pm_card_authenticationRequired"):
        world.v1.setup_intents.create({"payment_method": name, "confirm": True, **CARD})
    failed = world.v1.setup_intents.list().data[0].id
    world.tell(f"setup_intents/{failed}/authenticate", {"succeeded": False})
    world.v1.setup_intents.cancel(world.v1.setup_intents.create({}).id)
    lost = world.tell("disputes", {"charge": world.pay().latest_charge})
    world.tell(f"disputes/{lost['id']}/close", {"status": "lost"})
    world.tell("disputes", {"charge": world.pay().latest_charge, "inquiry": True})
    world.v1.payment_intents.list()
    lists = "customers payment_intents setup_intents charges refunds disputes balance_transactions events".split()
    found: dict[str, list[Any]] = {}
    for path in (*lists, "webhook_endpoints"):
        for body in world.ask("GET", f"/v1/{path}?limit=100").json()["data"]:
            found.setdefault(body["object"], []).append(body)
    for customer in found["customer"]:
        methods = world.ask("GET", f"/v1/payment_methods?customer={customer['id']}").json()["data"]
        found.setdefault("payment_method", []).extend(methods)
    found["account"] = [world.ask("GET", "/v1/account").json()]
    return found


def test_every_object_fits_the_published_schema(shown: dict[str, list[Any]]) -> None:
    assert set(shown) == set(SDK_CLASSES)
    for kind, bodies in shown.items():
        for body in bodies:
            check(kind, body)
    for event in shown["event"]:
        check(event["data"]["object"]["object"], event["data"]["object"])


def test_every_field_is_known_to_the_pinned_sdk(shown: dict[str, list[Any]]) -> None:
    assert stripe.api_version == "2026-10-28.endive"
    for kind, bodies in shown.items():
        known = set(SDK_CLASSES[kind].__annotations__)
        assert {name for body in bodies for name in body} <= known, kind


def test_every_field_of_the_published_fixtures_is_shown(shown: dict[str, list[Any]]) -> None:
    for kind, fixture in FIXTURES.items():
        names = {name for body in shown[kind] for name in body}
        assert set(fixture) - names == ONLY_IN_THE_FIXTURES.get(kind, set()), kind
        assert names - set(fixture) == NOT_IN_THE_FIXTURES.get(kind, set()), kind


def test_deletions_and_errors_fit_the_published_schema(world: World) -> None:
    customer, _ = world.customer()
    check("deleted_customer", world.ask("DELETE", f"/v1/customers/{customer}").json())
    endpoint = world.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["*"]})
    check("webhook_endpoint", endpoint.to_dict())
    check("deleted_webhook_endpoint", world.ask("DELETE", f"/v1/webhook_endpoints/{endpoint.id}").json())
    for error in (
        refusal(lambda: world.pay("pm_card_chargeDeclined"), stripe.CardError),
        refusal(lambda: world.v1.customers.create({"nonsense": "x"})),
        refusal(lambda: world.v1.payment_intents.confirm(world.pay().id)),
    ):
        check("error", json.loads(error.http_body))


@pytest.mark.parametrize("name", ["pm_sandbox_applePay", "pm_sandbox_googlePay", "pm_sandbox_link"])
def test_a_card_from_a_wallet_says_so_as_the_schema_and_the_pinned_sdk_have_it(world: World, name: str) -> None:
    method = world.v1.payment_methods.retrieve(world.pay(name).payment_method).to_dict()
    check("payment_method", method)
    wallet = method["card"]["wallet"]
    assert set(wallet) <= set(stripe.PaymentMethod.Card.Wallet.__annotations__)
    assert wallet["type"] in wallet
    (charge,) = world.v1.charges.list().data
    check("charge", charge.to_dict())
    paid_with = charge.to_dict()["payment_method_details"]["card"]["wallet"]
    assert paid_with == wallet
    assert set(paid_with) <= set(stripe.Charge.PaymentMethodDetails.Card.Wallet.__annotations__)


def test_a_domain_has_the_fields_that_the_pinned_sdk_names_and_is_registered_once(world: World) -> None:
    made = world.v1.payment_method_domains.create({"domain_name": "pay.example.com"})
    assert set(made.to_dict()) == set(stripe.PaymentMethodDomain.__annotations__) - {"OBJECT_NAME"}
    assert made.apple_pay.status == "active"
    assert world.v1.payment_method_domains.create({"domain_name": "pay.example.com"}).id == made.id
    assert world.v1.payment_method_domains.list({"domain_name": "www.example.com"}).data == []
    refusal(lambda: world.v1.payment_method_domains.create({"domain_name": "https://pay.example.com"}))


def test_a_payout_has_the_fields_that_the_pinned_sdk_names(world: World) -> None:
    world.pay()
    world.quiet()  # The balance hears of a charge a moment after it.
    (made,) = world.tell("payouts", {})
    assert set(made) == set(stripe.Payout.__annotations__) - {"OBJECT_NAME"} | {"object"}
    held = world.v1.balance_transactions.list({"payout": made["id"]}).data
    assert (held[0].id, held[0].net) == (made["balance_transaction"], -made["amount"])
    assert sum(each.net for each in held[1:]) == made["amount"]
    assert world.tell(f"payouts/{made['id']}", {"status": "failed"})["failure_code"] == "account_closed"
    assert [each.id for each in world.v1.payouts.list({"status": "failed"}).data] == [made["id"]]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_parameter_taken_is_one_of_stripes(route: Any) -> None:
    plain = re.sub(r"<\w+>", "{}", route.path.removeprefix("/v1/"))
    asked = f"{route.method} {plain}"
    published = BY_THE_SDK[asked] if asked in BY_THE_SDK else OPENAPI["requests"][asked]
    taken = {name for name, field in route.spec.items() if field.kind != "gone"}
    assert taken <= set(published["names"])
    assert {name for name in route.spec if name not in taken} <= GONE_IN_ENDIVE
    assert {name for name, field in route.spec.items() if field.required} >= set(published["required"]) - {"customer"}
    for name, field in route.spec.items():
        within(field, published["names"].get(name, {}))


def within(field: Field, published: Mapping[str, Any]) -> None:
    if field.kind == "hash" and field.inside is not None:
        assert set(field.inside) <= set(published)


@pytest.mark.parametrize("name", ["PaymentIntentCreateParams", "PaymentIntentConfirmParams", "SetupIntentCreateParams"])
def test_what_endive_took_away_the_pinned_sdk_no_longer_names(name: str) -> None:
    assert GONE_IN_ENDIVE.isdisjoint(getattr(stripe.params, name).__annotations__)
