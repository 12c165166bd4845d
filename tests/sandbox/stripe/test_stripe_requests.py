"""Who may ask, how parameters are read, and what every answer carries."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox.stripe.making import CARD, World, client_of, refusal


def test_without_a_key_nothing_is_answered(world: World) -> None:
    answer = world.ask("GET", "/v1/account", key=None)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("key", ["sk_live_never", "rk_live_never", "sk_test_", "pk_test_x"])
def test_a_live_key_is_refused_and_leaves_no_trace(world: World, key: str) -> None:
    assert world.ask("GET", "/v1/account", key=key).status_code == 401
    assert key not in world.ask("GET", "/_sandbox/requests").text or key == "sk_test_"


def test_each_test_key_is_an_account_of_its_own(world: World) -> None:
    mine, other = client_of(world.url).v1, client_of(world.url, key="sk_test_other").v1
    assert mine.accounts.retrieve_current().id != other.accounts.retrieve_current().id
    assert mine.accounts.retrieve_current().id.startswith("acct_sandbox")
    customer = mine.customers.create({})
    assert refusal(lambda: other.customers.retrieve(customer.id)).code == "resource_missing"


def test_a_key_may_come_as_the_user_of_basic_authentication(world: World) -> None:
    assert world.ask("GET", "/v1/account", key=None, auth=("sk_test_sandbox", "")).status_code == 200


def test_every_answer_names_its_request_and_version_and_echoes_the_key(world: World) -> None:
    answer = world.ask("POST", "/v1/customers", headers={"Idempotency-Key": "k", "Stripe-Version": "2026-10-28.endive"})
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Idempotency-Key"] == "k"
    assert answer.headers["Stripe-Version"] == "2026-10-28.endive"


def test_an_unknown_path_is_answered_as_stripe_does(world: World) -> None:
    answer = world.ask("GET", "/v1/unicorns")
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        ({"amount": "100", "currency": "eur", "colour": "red"}, "parameter_unknown", "colour"),
        ({"currency": "eur"}, "parameter_missing", "amount"),
        ({"amount": "", "currency": "eur"}, "parameter_missing", "amount"),
        ({"amount": "1.5", "currency": "eur"}, "parameter_invalid_integer", "amount"),
        ({"amount": "100", "currency": "eur", "confirm": "yes"}, "parameter_invalid_boolean", "confirm"),
        ({"amount": "100", "currency": "eur", "metadata": "x"}, "parameter_invalid_object", "metadata"),
        ({"amount": "100", "currency": "eur", "expand": "x"}, "parameter_invalid_array", "expand"),
        (
            {"amount": "100", "currency": "eur", "automatic_payment_methods[on]": "true"},
            "parameter_unknown",
            "automatic_payment_methods[on]",
        ),
        (
            {"amount": "100", "currency": "eur", "payment_method_types[]": "card"},
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
    ],
)
def test_wrong_parameters_are_refused_by_name(world: World, form: dict[str, str], code: str, param: str) -> None:
    answer = world.ask("POST", "/v1/payment_intents", data=form)
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == (code, param)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("customers", "address[planet]"),
        ("customers", "shipping[address][planet]"),
        ("payment_intents", "payment_method_options[card][colour]"),
        ("payment_intents", "payment_method_options[cowries]"),
        ("setup_intents", "payment_method_options[card][setup_future_usage]"),
    ],
)
def test_an_unknown_name_within_a_parameter_is_refused_by_its_whole_name(world: World, path: str, name: str) -> None:
    money = {"amount": "100", "currency": "eur"} if path == "payment_intents" else {}
    answer = world.ask("POST", f"/v1/{path}", data={**money, name: "x"})
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == ("parameter_unknown", name)


def test_what_is_known_within_a_parameter_is_taken_and_an_empty_text_clears_it(world: World) -> None:
    customer = world.v1.customers.create({"address": {"city": "Lyon", "country": "FR"}})
    assert (customer.address or {})["city"] == "Lyon"
    assert world.v1.customers.update(customer.id, {"address": "", "shipping": ""}).address is None
    options = {"card": {"request_three_d_secure": "automatic"}}
    made = world.v1.payment_intents.create({"amount": 100, "currency": "eur", "payment_method_options": options})
    assert made.status == "requires_payment_method"


def test_names_of_metadata_may_be_numbers(world: World) -> None:
    customer = world.v1.customers.create({"metadata": {"0": "a", "7": "b"}})
    assert customer.to_dict()["metadata"] == {"0": "a", "7": "b"}
    many = {str(number): "x" for number in range(51)}
    assert "50 pairs" in str(refusal(lambda: world.v1.customers.create({"metadata": many})))


def test_a_name_that_is_both_value_and_hash_is_refused(world: World) -> None:
    answer = world.ask("POST", "/v1/customers", data="metadata=x&metadata[a]=b")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (49, "usd", "amount_too_small"),
        (29, "gbp", "amount_too_small"),
        (49, "jpy", "amount_too_small"),
        (0, "eur", "parameter_invalid_integer"),
        (100_000_000, "eur", "amount_too_large"),
        (1001, "kwd", "invalid_charge_amount"),
        (1050, "isk", "invalid_charge_amount"),
        (1000, "zzz", "parameter_invalid_string_empty"),
    ],
)
def test_amounts_and_currencies_that_stripe_cannot_charge_are_refused(
    world: World, amount: int, currency: str, code: str
) -> None:
    error = refusal(lambda: world.v1.payment_intents.create({"amount": amount, "currency": currency, **CARD}))
    assert (error.http_status, error.code) == (400, code)


@pytest.mark.parametrize(("amount", "currency"), [(50, "usd"), (30, "gbp"), (50, "jpy"), (1010, "kwd"), (1000, "EUR")])
def test_the_least_that_stripe_charges_is_taken(world: World, amount: int, currency: str) -> None:
    assert world.v1.payment_intents.create({"amount": amount, "currency": currency, **CARD}).amount == amount


def test_the_minimum_can_be_switched_off_and_changed(world: World) -> None:
    world.tell("config", {"minimum_amounts": {"eur": 5000}})
    assert refusal(world.pay).code == "amount_too_small"
    world.tell("config", {"minimums": False})
    assert world.pay(amount=1).status == "succeeded"


def test_more_requests_than_the_limit_are_answered_429(world: World) -> None:
    world.tell("config", {"rate_limit_per_s": 3})
    errors = []
    for _ in range(12):
        try:
            world.v1.customers.create({})
        except stripe.RateLimitError as error:
            errors.append(error)
    assert errors
    assert errors[0].http_status == 429


def test_ids_in_an_answer_are_expanded_on_request(world: World) -> None:
    order = {**world.order(), "expand": ["latest_charge", "customer", "payment_method"]}
    intent = world.v1.payment_intents.create(order)
    assert intent.latest_charge.object == "charge"
    assert intent.customer.object == "customer"
    assert intent.payment_method.card.last4 == "4242"
    world.quiet()
    charges = world.v1.charges.list({"expand": ["data.balance_transaction", "data.refunds"]})
    assert charges.data[0].balance_transaction.net < 1000
    assert charges.data[0].refunds.data == []
    assert refusal(lambda: world.v1.customers.list({"expand": ["data.metadata"]})).http_status == 400
