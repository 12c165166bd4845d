"""The door of the API: who is let in, how often, and with what."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import text

from billing.api.table import OPERATIONS
from billing.flows import api_keys
from billing.flows.order import Order
from tests.api.document import COMMITTED, written
from tests.api.program import Program, anna, application, basic, key_of
from tests.flows.company import Company
from tests.privacy.cards import card

ORDER = Order(actor="ada", reason="a test")


def test_the_committed_document_is_the_one_that_is_served(shop: Program) -> None:
    assert COMMITTED.read_text().strip() == written(), "run: python -m tests.api.document"
    assert shop.client.get("/api/v1/openapi.json").json == json.loads(COMMITTED.read_text())


def test_what_any_request_may_be_answered_is_in_the_document(shop: Program) -> None:
    document = json.loads(COMMITTED.read_text())
    for each in OPERATIONS:
        said = document["paths"][each.path][each.method.lower()]["responses"].keys()
        address = f"/api/v1{each.path}".replace("{id}", str(uuid4()))
        headers = {"Authorization": f"Bearer {shop.token}", "Idempotency-Key": "1", "Content-Type": "application/json"}
        large = shop.client.open(address, method=each.method, data=b" " * (each.body_limit + 1), headers=headers)
        assert (large.status_code, large.json["code"]) == (413, "body_too_large"), each.name
        assert {"401", "403", "413", "422", "429", "503"} <= said, each.name


def test_nobody_is_let_in_without_a_valid_key(acme: Company, shop: Program) -> None:
    nobody = Program(application(acme.parts), "")
    assert nobody.refused("GET", "/profiles") == (401, "api_key_missing")
    nobody.token = shop.token[:-1] + ("a" if shop.token[-1] != "a" else "b")
    assert nobody.refused("GET", "/profiles") == (401, "api_key_invalid")
    prefix = shop.token[:13]
    kept = api_keys.rotate(acme.parts, prefix, keep_hours=1, order=ORDER)
    assert shop.ok("GET", "/profiles")
    nobody.token = kept.token
    assert nobody.ok("GET", "/profiles")
    api_keys.revoke(acme.parts, prefix, order=ORDER)
    assert shop.refused("GET", "/profiles") == (401, "api_key_invalid")


def test_a_key_is_kept_nowhere_and_its_use_is(acme: Company, shop: Program) -> None:
    shop.ok("GET", "/profiles")
    with acme.parts.begin() as session:
        kept = """
            SELECT k::text || u::text FROM billing.api_key k JOIN billing.api_use u USING (prefix)
            WHERE prefix = :it"""
        (row,) = session.scalars(text(kept), {"it": shop.token[:13]})
    assert shop.token not in row
    assert shop.token[14:] not in row
    assert shop.token[:13] in row


def test_a_key_does_only_what_its_scopes_say(acme: Company) -> None:
    customer = anna()
    reader = Program(application(acme.parts), key_of(acme, scopes=("read",)))
    reader.ok("GET", "/profiles")
    assert reader.refused("POST", "/profiles", customer) == (403, "scope_missing")


def test_a_key_has_so_many_requests_a_minute_and_is_told_how_many_are_left(acme: Company) -> None:
    parts = replace(acme.parts, settings=acme.parts.settings.model_copy(update={"billing_api_requests_per_minute": 2}))
    shop = Program(application(parts), key_of(acme))
    with acme.parts.begin() as session:
        # Counted from here on, whichever second of the minute it is.
        session.execute(
            text("INSERT INTO billing.api_use VALUES (:prefix, clock_timestamp() + interval '30 seconds', 0)"),
            {"prefix": shop.token[:13]},
        )
    first = shop.ask("GET", "/profiles")
    assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("2", "1")
    shop.ok("GET", "/profiles")
    refused = shop.ask("GET", "/profiles")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0


def test_a_clock_that_is_put_back_locks_nobody_out(acme: Company, shop: Program) -> None:
    shop.ok("GET", "/profiles")
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.api_use SET minute = minute + interval '1 hour', requests = 1000000"))
    for _ in range(2):
        answer = shop.ask("GET", "/profiles")
        assert answer.status_code == 200
    limit = acme.parts.settings.billing_api_requests_per_minute
    assert (int(answer.headers["RateLimit-Remaining"]) >= limit - 3, int(answer.headers["RateLimit-Reset"]) <= 60) == (
        True,
        True,
    )


def test_browsers_of_other_sites_are_told_nothing(shop: Program) -> None:
    answer = shop.ask("GET", "/profiles", Origin="https://evil.example")
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
    for method in ("OPTIONS", "TRACE", "BREW"):
        for path in ("/profiles", "/openapi.json"):
            assert shop.refused(method, path) == (405, "method_not_allowed")


def test_a_body_is_bounded_json_and_every_fault_of_it_is_named(shop: Program) -> None:
    customer = anna()
    assert shop.refused("POST", "/profiles", customer | {"name": "x" * 70_000}) == (413, "body_too_large")
    answer = shop.ask("POST", "/profiles", customer | {"country": "Germany", "surname": "x", "address": {"line1": 1}})
    assert answer.status_code == 422
    assert {each["field"]: each["code"] for each in answer.json["faults"]} == {
        "country": "not_valid",
        "surname": "unknown_field",
        "address.line1": "not_valid",
    }
    assert "Germany" not in answer.text
    wrong = shop.client.post(
        "/api/v1/profiles",
        data="{",
        headers={"Authorization": f"Bearer {shop.token}", "Idempotency-Key": "1", "Content-Type": "application/json"},
    )
    assert wrong.json["code"] == "not_json"
    assert shop.refused("POST", "/profiles", customer, Idempotency_Key="") == (400, "idempotency_key_missing")


@pytest.mark.parametrize(
    ("whole", "twice"),
    [
        ('"country": "DE"', '"country": "DE", "country": "FR"'),
        ('"country": "DE"', '"country": "DE", "\\u0063ountry": "DE"'),
        ('"city": "Berlin"', '"city": "Berlin", "city": "Bonn"'),
    ],
)
def test_a_name_that_stands_twice_in_an_object_is_refused_and_nothing_is_done(
    shop: Program, whole: str, twice: str
) -> None:
    customer = anna() | {"address": {"line1": "A 1", "city": "Berlin"}}
    body = json.dumps(customer)
    assert whole in body
    headers = {"Authorization": f"Bearer {shop.token}", "Idempotency-Key": "1", "Content-Type": "application/json"}
    answer = shop.client.post("/api/v1/profiles", data=body.replace(whole, twice), headers=headers)
    assert (answer.status_code, answer.json["code"]) == (422, "given_twice")
    assert answer.json["field"] == whole.split('"')[1]
    assert customer["account_id"] not in [each["account_id"] for each in shop.ok("GET", "/profiles")["data"]]


def test_a_wish_in_the_address_that_no_operation_there_has_is_a_fault_and_nothing_is_done(shop: Program) -> None:
    """Lists told so already; elsewhere it was ignored, and who asked to try a cancel had it carried out."""
    customer = anna()
    shop.ok("POST", "/profiles", customer)
    subscription = shop.ok("POST", "/subscriptions", basic(customer))
    path = f"/subscriptions/{subscription['id']}"
    answer = shop.ask("POST", f"{path}/cancel?dry_run=true", {"when": "now"})
    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (422, "unknown_field", "dry_run")
    assert shop.refused("GET", f"{path}?expand=items") == (422, "unknown_field")
    assert shop.ok("GET", path)["status"] == subscription["status"]


def test_a_reason_with_a_card_number_is_refused_and_nothing_is_done(shop: Program) -> None:
    profile = shop.ok("POST", "/profiles", anna())["id"]
    given = {"amount_minor": 1, "currency": "eur", "reason": f"read out {card('4', 16)}"}
    assert shop.refused("POST", f"/profiles/{profile}/credit", given) == (422, "card_number")
    assert shop.ok("GET", f"/profiles/{profile}/credit")["data"] == []


def test_a_time_beyond_the_calendar_is_a_fault_of_its_field(shop: Program) -> None:
    customer = anna()
    shop.ok("POST", "/profiles", customer)
    new = basic(customer) | {"timezone": "America/New_York"}
    for at in (
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ):
        for field, given in (
            ("start", {"start": at}),
            ("anchor", {"anchor": at}),
            ("start", {"start": at, "trial_days": 9}),
        ):
            answer = shop.ask("POST", "/subscriptions", new | given)
            assert (answer.status_code, answer.json["field"]) == (422, field), (at, given)


def test_what_no_database_can_store_is_refused_wherever_it_stands(shop: Program) -> None:
    customer = anna()
    answer = shop.ask("POST", "/profiles", customer | {"name": "A\0nna"})
    assert [(each["field"], each["code"]) for each in answer.json["faults"]] == [
        ("request", "not_valid"),
        ("name", "control_character"),
    ]
    profile = shop.ok("POST", "/profiles", customer | {"name": "A\\u0000nna"})["id"]
    assert shop.refused("POST", f"/profiles/{profile}/revoke-links", {"reason": "x\0"}) == (422, "not_valid")
    assert shop.refused("GET", f"/profiles/{profile}/personal?reason=%00") == (422, "not_valid")
    assert shop.ok("GET", f"/profiles/{profile}/personal")["name"] == "A\\u0000nna"


def test_a_request_is_told_all_its_faults_at_once(shop: Program) -> None:
    customer = anna() | {
        "account_id": "anna@example.com", "country": "Germany", "email": "anna", "timezone": "Berlin",
        "address": {"city": "Ber\nlin "},
    }  # fmt: skip
    answer = shop.ask("POST", "/profiles", customer, Idempotency_Key="")
    assert (answer.status_code, answer.json["code"]) == (422, "not_valid")
    assert sorted((each["field"], each["code"]) for each in answer.json["faults"]) == [
        ("Idempotency-Key", "idempotency_key_missing"),
        ("account_id", "account_id_is_personal"),
        ("address.city", "control_character"),
        ("address.city", "space_around"),
        ("country", "not_valid"),
        ("email", "not_an_email"),
        ("timezone", "unknown_timezone"),
    ]
    assert shop.refused("POST", "/profiles", anna() | {"country": "XX"}) == (422, "unknown_country")
    answer = shop.ask("PUT", f"/profiles/{uuid4()}", {"country": "DE"}, If_Match="new")
    assert [each["field"] for each in answer.json["faults"]] == ["name", "If-Match"]


def test_an_unknown_account_hides_nothing_that_is_wrong_with_the_items(acme: Company, shop: Program) -> None:
    acme.price("metered", 2, usage="sum")
    items = [{"price": "basic"}, {"price": "none"}, {"price": "metered", "quantity": 2}]
    answer = shop.ask("POST", "/subscriptions", {"code": "s", "account_id": "nobody", "items": items})
    assert [(each["field"], each["code"]) for each in answer.json["faults"]] == [
        ("account_id", "profile_not_found"),
        ("items.2.price", "price_not_found"),
        ("items.3.quantity", "quantity_of_metered"),
    ]


def test_an_address_that_is_there_says_which_methods_it_has_and_a_word_that_is_no_id_what_one_looks_like(
    shop: Program,
) -> None:
    for method, path, allowed in (
        ("PUT", "/profiles", "GET, HEAD, POST"),
        ("DELETE", f"/invoices/{uuid4()}", "GET, HEAD"),
        ("PATCH", f"/invoices/{uuid4()}/void", "POST"),
        ("BREW", f"/profiles/{uuid4()}", "GET, HEAD, PUT"),
        ("POST", "/openapi.json", "GET, HEAD"),
    ):
        answer = shop.ask(method, path)
        assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed"), path
        assert (answer.headers["Allow"], answer.headers["Cache-Control"]) == (allowed, "no-store")
    for path in ("/invoices/SHOP-000001", "/profiles/acct-1/link"):
        answer = shop.ask("GET", path)
        assert (answer.status_code, answer.json["code"], answer.json["field"]) == (404, "not_found", "id")
        assert "such as 01990c2e-0000-7000-8000-000000000000" in answer.json["mend"]
    assert "/invoices?number=" in shop.ask("GET", "/invoices/SHOP-000001").json["mend"]
    for path in ("/nothing", "/invoices/x/y/z", "/"):
        answer = shop.ask("GET", path)
        assert (answer.status_code, answer.json["field"]) == (404, "path"), path


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1//invoices",
        "/api/v1/invoices//pay",
        "/api//v1/openapi.json",
        "/api/v1//",
        "/api/v1",
    ],
)
def test_an_address_with_a_slash_too_many_or_too_few_is_told_as_any_that_there_is_not(
    shop: Program, method: str, path: str
) -> None:
    """A client that joins addresses carelessly reads what is wrong, and is sent nowhere with its key."""
    answer = shop.client.open(f"http://localhost{path}", method=method)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert (answer.json["code"], answer.json["field"]) == ("not_found", "path")
    assert (answer.headers["Cache-Control"], answer.headers.get("Location")) == ("no-store", None)
