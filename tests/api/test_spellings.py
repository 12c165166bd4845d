"""Numbers, times and days are taken in the one spelling that the document has; faults bear the request's names."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
import requests
from sqlalchemy import select, text

from billing.api.problems import told
from billing.kernel.errors import Fault, Refused
from billing.models import PaymentMethod, ProviderCustomer
from tests.api.program import Program, anna, application, basic
from tests.flows.company import Company

WHY = {"reason": "a test"}
AT = "2026-01-31T00:00:00Z"


@pytest.mark.parametrize("digits", ["\u0663", "\u0967\u0968", "\uff11\uff12.\uff15", "1.\u0665"])
def test_digits_of_other_scripts_are_no_number(shop: Program, digits: str) -> None:
    price = {"code": f"p-{uuid4()}", "product": "basic", "currency": "eur", "interval": "month"}
    answer = shop.ask("POST", "/prices", price | {"unit_amount": digits})
    assert (answer.status_code, answer.json["field"], answer.json["code"]) == (422, "unit_amount", "not_valid")
    assert shop.refused("POST", "/coupons", {"code": f"c-{uuid4()}", "percent": digits}) == (422, "not_valid")


@pytest.mark.parametrize("at", [1_769_817_600, 1_769_817_600_000, 1.5e9, "1769817600", "1769817600000", "-1", "0.0"])
def test_a_number_is_no_time_whatever_it_counts_since_1970(shop: Program, at: Any) -> None:
    customer = anna()
    shop.ok("POST", "/profiles", customer)
    answer = shop.ask("POST", "/subscriptions", basic(customer) | {"start": at})
    assert (answer.status_code, answer.json["field"], answer.json["code"]) == (422, "start", "not_valid")
    assert answer.json["mend"] == f"give a time with its offset, such as {AT}"
    assert shop.ok("POST", "/subscriptions", basic(customer) | {"start": AT})["started_at"] == AT


@pytest.mark.parametrize("day", ["0", "1769817600", "1769817600000", "2026-02-01T00:00:00Z", "2026-02-01T00:00:00"])
def test_neither_a_number_nor_a_time_is_a_day(shop: Program, day: str) -> None:
    for path in ("/reports/aging?as_of={}", "/ledger/trial-balance?as_of=2026-02-28&since={}"):
        answer = shop.ask("GET", path.format(day))
        assert (answer.status_code, answer.json["code"]) == (422, "not_valid"), path
        assert answer.json["mend"] == "give a date, such as 2026-01-31"


def test_a_fault_has_the_name_that_the_request_has(acme: Company, shop: Program) -> None:
    acme.price(price := f"m-{uuid4()}", 2, usage="sum")
    customer = anna()
    profile = shop.ok("POST", "/profiles", customer)["id"]
    made = shop.ok("POST", "/subscriptions", basic(customer) | {"items": [{"price": price}]})
    record = {"subscription": made["code"], "price": price, "id": "1", "quantity": "1"}
    endpoint = shop.ok("POST", "/endpoints", WHY | {"code": f"e-{uuid4()}", "target": "https://shop.example.com/hook"})
    path = f"/endpoints/{endpoint['endpoint']['id']}"
    shop.ok("POST", "/profiles", other := anna())
    under_review = text("UPDATE billing.seller SET draft_review_h = :hours WHERE id = :id")
    with acme.parts.begin() as session:
        session.execute(under_review, {"hours": 24, "id": acme.seller_id})
    draft = shop.ok("POST", "/subscriptions", basic(other))["latest_invoice"]["id"]
    with acme.parts.begin() as session:
        session.execute(under_review, {"hours": 0, "id": acme.seller_id})
    method = {"profile_id": profile, "consent_text_version": "v1", "consent_at": AT}
    early, late = "2020-01-01T00:00:00Z", "9000-01-01T00:00:00Z"
    for asked, given, field, code in (
        ("/usage", {"records": [record | {"used_at": early}]}, "records.1.used_at", "usage_before_start"),
        ("/usage", {"records": [record | {"used_at": late}]}, "records.1.used_at", "out_of_range"),
        (f"{path}/contact", {"address": "nobody"}, "address", "not_an_email"),
        (f"{path}/replay", {"since": AT, "until": AT}, "until", "range_empty"),
        ("/payment-methods/adopt", method | {"method_ref": "pm card"}, "method_ref", "not_a_method_id"),
        (
            "/payment-methods/adopt",
            method | {"method_ref": "pm_card_visa", "mandate_ref": "4" * 16},
            "mandate_ref",
            "not_a_method_id",
        ),
        (f"/invoices/{draft}/remove-line", {"position": 99}, "position", "line_not_found"),
    ):
        body = given if asked in ("/usage", "/payment-methods/adopt") else WHY | given
        answer = shop.ask("POST", asked, body)
        assert (answer.json["field"], answer.json["code"]) == (field, code), asked


def test_a_mandate_is_called_as_the_request_calls_it() -> None:
    answer = told(Refused(Fault("mandate", "mandate_of_another_method", "give the active mandate of this method")))
    assert answer is not None
    assert answer.json["field"] == "mandate_ref"  # type: ignore[index]


@pytest.mark.parametrize("limit", ["+5", " 5", "5 ", "5_0", "5.0", "05", "-0", "1e1", "", "\u0665", "\uff15"])
def test_a_whole_number_of_a_query_is_taken_in_one_spelling(shop: Program, limit: str) -> None:
    answer = shop.ask("GET", f"/invoices?{urlencode({'limit': limit})}")
    assert (answer.status_code, answer.json["field"], answer.json["code"]) == (422, "limit", "not_valid")
    assert answer.json["mend"] == "give a whole number, such as 3"


@pytest.mark.parametrize(("limit", "mend"), [("0", "give 1 or more"), ("-5", "give 1 or more")])
def test_one_that_is_spelled_well_is_told_its_bounds(shop: Program, limit: str, mend: str) -> None:
    assert shop.ask("GET", f"/invoices?limit={limit}").json["mend"] == mend
    assert len(shop.ok("GET", "/prices?limit=1")["data"]) == 1


@pytest.mark.parametrize("given", ["1", "0", "yes", "on", "t", "n", "True", "FALSE", " true", ""])
def test_yes_or_no_is_true_or_false(shop: Program, given: str) -> None:
    path = "/reports/aging?as_of=2026-02-28&"
    answer = shop.ask("GET", path + urlencode({"by_customer": given}))
    assert (answer.status_code, answer.json["field"], answer.json["code"]) == (422, "by_customer", "not_valid")
    assert answer.json["mend"] == "give true or false"
    assert shop.ok("GET", f"{path}by_customer=false") == shop.ok("GET", path.rstrip("&"))


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/usage", {"records": [{"subscription": "s1", "price": "p", "id": "1", "quantity": "1", "timestamp": AT}]},
         "records.1.timestamp"),
        ("/profiles", {"account_id": "a", "name": "Anna", "country": "DE", "address": {"line": "Musterweg 1"}},
         "address.line"),
        ("/coupons", {"code": "c", "percent": "50", "amount": 100}, "amount"),
    ],
)  # fmt: skip
def test_a_field_that_there_is_not_is_told_as_it_was_given(
    shop: Program, path: str, body: dict[str, Any], field: str
) -> None:
    answer = shop.ask("POST", path, body)
    unknown = [each["field"] for each in answer.json["faults"] if each["code"] == "unknown_field"]
    assert (answer.status_code, unknown) == (422, [field])


def test_the_last_tier_is_said_to_be_null(shop: Program) -> None:
    price = {"code": f"p-{uuid4()}", "product": "basic", "currency": "eur", "interval": "month", "model": "volume"}

    def refused(up_to: Any) -> tuple[int, str, str]:
        answer = shop.ask("POST", "/prices", price | {"tiers": [{"up_to": up_to, "unit": "1"}]})
        assert answer.json["field"] == "tiers.1.up_to"
        return answer.status_code, answer.json["code"], answer.json["mend"]

    assert refused("inf") == (
        422,
        "not_valid",
        'give an exact number, 0 or more, such as "0.25"; null in the last tier',
    )
    assert refused(1000) == (422, "not_valid", "give it as a string, in quotes")
    assert refused("1000") == (422, "last_tier_not_open", "leave the last tier without end (null; in a file inf)")
    shop.ok("POST", "/prices", price | {"tiers": [{"up_to": None, "unit": "1"}]})


def test_a_price_that_is_charged_once_has_null_for_its_interval(shop: Program) -> None:
    price = {"code": f"p-{uuid4()}", "product": "basic", "currency": "eur", "unit_amount": "100"}
    answer = shop.ask("POST", "/prices", price | {"interval": "once"})
    assert answer.json["mend"] == "give one of day, week, month, year; null is charged once"
    assert shop.ok("POST", "/prices", price | {"interval": None})["interval"] is None


def test_a_method_or_mandate_that_the_provider_does_not_know_is_a_fault_of_the_request(
    acme: Company, shop: Program
) -> None:
    profile = shop.ok("POST", "/profiles", anna())["id"]
    given = {"profile_id": profile, "consent_text_version": "v1", "consent_at": "2026-01-01T00:00:00Z"}

    def told(program: Program = shop, **more: str) -> tuple[int, str, str, str]:
        answer = program.ask("POST", "/payment-methods/adopt", given | more)
        return (answer.status_code, *(answer.json[each] for each in ("field", "code", "mend")))  # type: ignore[return-value]

    status, field, code, mend = told(method_ref="pm_nobody")
    assert (status, field, code) == (422, "method_ref", "method_unknown")
    assert mend == "the provider keeps no such method at this account (any more); give the id that it has there"
    status, field, code, mend = told(method_ref="pm_card_visa", mandate_ref="mandate_of_nobody")
    assert (status, field, code) == (422, "mandate_ref", "mandate_unknown")
    assert "leave it out" in mend
    made = shop.ok("POST", "/payment-methods/adopt", given | {"method_ref": "pm_card_visa"})
    with acme.parts.begin() as session:
        of_this_one = session.get_one(PaymentMethod, UUID(made["id"])).method_ref or ""
    given["profile_id"] = shop.ok("POST", "/profiles", anna())["id"]
    assert told(method_ref=of_this_one)[:3] == (422, "method_ref", "method_of_another_customer")
    # A set-up that proves to be another customer's: this request names no method but by its path.
    begun = shop.ok("POST", "/payment-methods", given)
    with acme.parts.begin() as session:
        theirs = session.get_one(PaymentMethod, UUID(begun["id"]))
        mine = session.scalars(select(ProviderCustomer).filter_by(profile_id=theirs.profile_id)).one()
        setup_ref, mine.customer_ref = theirs.setup_ref or "", "cus_another"
    intents = f"{acme.witness_url}/v1/setup_intents/{setup_ref}/confirm"
    headers = {"Authorization": "Bearer sk_test_company"}
    assert requests.post(intents, data={"payment_method": "pm_card_visa"}, headers=headers, timeout=5).ok
    answer = shop.ask("POST", f"/payment-methods/{begun['id']}/complete")
    assert (answer.status_code, answer.json["field"], answer.json["code"]) == (
        422, "payment_method", "method_of_another_customer",
    )  # fmt: skip
    acme.revoke_key()
    locked_out = Program(application(acme.parts), shop.token)
    assert told(locked_out, method_ref="pm_nobody")[:3] == (502, "provider", "provider_refused")
    acme.restore_key()
