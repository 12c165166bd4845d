"""`billing import`: all or nothing, every fault with its line, twice changes nothing."""

from __future__ import annotations

import json
import runpy
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select, text

from billing.models import (
    AuditRecord,
    PaymentMethod,
    Price,
    Product,
    Profile,
    ProviderCustomer,
    Seller,
    Series,
    Subscription,
    SubscriptionItem,
    TaxRate,
)
from billing.ops.importing import import_file
from billing.sandbox.paypal.app import create_app as paypal_app
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store
from tests.ops.conftest import Desk

EXAMPLES = Path(__file__).parents[2] / "examples"
NOUNS = (Seller, TaxRate, Product, Price, Profile, ProviderCustomer, PaymentMethod, Subscription, SubscriptionItem)

GOOD = """
sellers:
  - {code: NORD, legal_name: Nordlicht GmbH, country: DE, currency: eur, next_number: 7}
tax_rates:
  - {name: standard, percent: "19", countries: {FR: "20"}}
products:
  - {code: basic, name: Basic}
prices:
  - {code: basic-month, product: basic, currency: eur, unit_amount: 1000, interval: month, tax_rate: standard}
customers:
  - account_id: acct-1
    name: Anna Beispiel
    email: anna@example.com
    country: DE
    address: {line1: Beispielweg 1, city: Musterstadt, postal_code: 10115}
    provider_payment_method_id: pm_card_visa
    consent_at: 2025-12-01
  - {account_id: acct-2, name: Élodie Exemple, country: FR}
subscriptions:
  - {code: sub-1, customer: acct-1, items: [{price: basic-month, quantity: 2}], start: 2026-01-31}
  - {code: sub-2, customer: acct-2, items: [{price: basic-month}], anchor: 2025-01-15, paid_through: 2026-01-15}
"""


def _counts(desk: Desk) -> dict[str, int]:
    with desk.new_session() as session:
        return {
            noun.__tablename__: session.scalar(select(func.count()).select_from(noun)) or 0  # type: ignore[attr-defined]
            for noun in NOUNS
        }


def _believed(desk: Desk, table: str) -> float:
    """How many rows the server plans for."""
    with desk.new_session() as session:
        found = session.scalar(text("SELECT reltuples FROM pg_class WHERE oid = CAST(:t AS regclass)"), {"t": table})
        return float(found)


def _faults(desk: Desk, text: str, name: str = "a.yaml") -> list[tuple[int, str, str]]:
    result = desk.run(import_file, desk.write(name, text), "--json")
    assert result.exit_code == 3, result.output
    assert sum(_counts(desk).values()) == 0
    return [(each["line"], each["field"], each["code"]) for each in json.loads(result.stdout)["faults"]]


def _made(desk: Desk) -> dict[str, int]:
    made: dict[str, int] = requests.get(f"{desk.server.url}/_sandbox/state", timeout=5).json()["objects"]
    return made


def test_a_business_is_imported_whole(desk: Desk) -> None:
    result = desk.run(import_file, desk.write("a.yaml", GOOD), "--by", "ada")
    assert result.exit_code == 0, result.output
    assert "2 customers, 2 subscriptions" in result.stdout
    with desk.new_session() as session:
        series = session.scalars(select(Series).where(Series.kind == "invoice")).one()
        method = session.scalars(select(PaymentMethod)).one()
        subscriptions = session.scalars(select(Subscription).order_by(Subscription.code)).all()
        actions = session.scalars(select(AuditRecord).where(AuditRecord.action == "import")).all()
    assert (series.prefix, series.next_no) == ("NORD-", 7)
    assert (method.is_default, method.status, method.brand, method.consent_channel) == (
        True,
        "active",
        "visa",
        "import",
    )
    assert [(each.next_due_at, each.next_period_no) for each in subscriptions] == [
        (datetime(2026, 1, 31, tzinfo=UTC), 0),
        (datetime(2026, 1, 15, tzinfo=UTC), 12),
    ]
    assert [(each.actor, each.reason) for each in actions] == [("ada", "import of a.yaml")]


def test_the_same_file_twice_changes_nothing_and_says_so(desk: Desk) -> None:
    path = desk.write("a.yaml", GOOD)
    assert desk.run(import_file, path).exit_code == 0
    before, made = _counts(desk), _made(desk)
    result = desk.run(import_file, path)
    assert result.exit_code == 0, result.output
    assert "nothing changed" in result.stdout
    assert (_counts(desk), _made(desk)) == (before, made)


def test_a_longer_file_adds_only_what_is_new(desk: Desk) -> None:
    desk.run(import_file, desk.write("a.yaml", GOOD))
    more = GOOD + "  - {code: sub-3, customer: acct-1, items: [{price: basic-month}], start: 2026-02-01}\n"
    result = desk.run(import_file, desk.write("b.yaml", more), "--json")
    report = json.loads(result.stdout)
    assert {noun: count for noun, count in report["created"].items() if count} == {"subscriptions": 1}
    assert report["unchanged"]["customers"] == 2
    assert _counts(desk)["subscription"] == 3


def test_a_dry_run_writes_nothing_and_prints_first_bills_with_tax(desk: Desk) -> None:
    result = desk.run(import_file, desk.write("a.yaml", GOOD), "--dry-run")
    assert result.exit_code == 0, result.output
    assert "2026-01-31T00:00:00Z" in result.stdout
    assert "23.80 EUR" in result.stdout
    assert "12.00 EUR" in result.stdout
    assert "Would import" in result.stdout
    assert sum(_counts(desk).values()) == 0
    assert "customer" not in _made(desk)


def test_what_has_begun_already_is_said_before_it_is_billed(desk: Desk) -> None:
    text = GOOD.replace("start: 2026-01-31", "start: 2025-11-15")
    report = json.loads(desk.run(import_file, desk.write("a.yaml", text), "--dry-run", "--json").stdout)
    assert [bill["due_now"] for bill in report["first_bills"]] == [2, 0]
    assert report["first_bills"][0]["at"] == "2025-11-15T00:00:00Z"


_FIRST = next(line for line in GOOD.splitlines(keepends=True) if "sub-1" in line)
CHANGES: list[tuple[str, str, list[tuple[int, str, str]]]] = [
    ("legal_name: Nordlicht GmbH", "legal_name: ''", [(3, "legal_name", "missing")]),
    ('percent: "19"', "percent: 19.5", [(5, "percent", "float_not_exact")]),
    ('FR: "20"', 'NO: "25"', [(5, "countries.NO", "not_a_text")]),
    ("unit_amount: 1000", "unit_amount: -5", [(9, "unit_amount", "negative")]),
    ("unit_amount: 1000", "unit_amount: ten", [(9, "unit_amount", "not_a_number")]),
    ("interval: month", "interval: quarter", [(9, "interval", "not_one_of")]),
    ("product: basic,", "product: other,", [(9, "product", "product_not_found")]),
    ("tax_rate: standard", "tax_rate: none", [(9, "tax_rate", "tax_rate_not_found")]),
    ("email: anna@example.com", "email: nobody", [(13, "email", "not_an_email")]),
    ("    country: DE\n", "    country: XX\n", [(14, "country", "unknown_country")]),
    ("name: Anna Beispiel", "name: yes", [(12, "name", "not_a_text")]),
    ("    consent_at: 2025-12-01\n", "", [(11, "consent_at", "consent_missing")]),
    ("consent_at: 2025-12-01", "consent_at: 2026-12-01", [(17, "consent_at", "consent_in_future")]),
    ("consent_at: 2025-12-01", "consent_at: soon", [(17, "consent_at", "not_a_time")]),
    ("consent_at: 2025-12-01", "consent_at: 2025-12-01\n    provider: klarna", [(18, "provider", "unknown_provider")]),
    ("account_id: acct-2", "account_id: acct-2, phone: '1'", [(18, "phone", "unknown_field")]),
    ("customer: acct-2", "customer: acct-9", [(21, "customer", "profile_not_found")]),
    ("price: basic-month, quantity: 2", "price: basic-month, quantity: 0", [(20, "items.1.quantity", "out_of_range")]),
    ("price: basic-month, quantity: 2", "price: other, quantity: 2", [(20, "items.1.price", "price_not_found")]),
    ("start: 2026-01-31", "start: 2026-01-31T10:00", [(20, "start", "time_without_offset")]),
    (", start: 2026-01-31", "", [(20, "start", "missing")]),
    ("start: 2026-01-31", "start: 2026-01-31, anchor: 2026-01-31", [(20, "anchor", "anchor_not_later")]),
    ("paid_through: 2026-01-15", "paid_through: 2026-01-20", [(21, "paid_through", "paid_through_not_a_boundary")]),
    (
        "subscriptions:\n",
        f"subscriptions:\n{_FIRST}",
        [(21, "code", "given_twice")],
    ),
    (
        "account_id: acct-2, name: Élodie Exemple, country: FR",
        "account_id: acct-1, name: Anna Beispiel, country: DE",
        [
            (18, "address.city", "given_twice"),
            (18, "address.line1", "given_twice"),
            (18, "address.postal_code", "given_twice"),
            (18, "consent_at", "given_twice"),
            (18, "email", "given_twice"),
            (18, "provider_payment_method_id", "given_twice"),
            (21, "customer", "profile_not_found"),
        ],
    ),
    ("sellers:\n", "sellers:\n  - 5\n", [(3, "sellers", "not_a_mapping")]),
    ("products:\n", "products:\n  - {}\n", [(7, "code", "missing"), (7, "name", "missing")]),
    ("products:\n  - {", "products:\n  - {[a]: b, ", [(7, "entry", "not_a_text")]),
    ("customer: acct-2", 'customer: "acct\\0"', [(21, "customer", "control_character")]),
    ("code: sub-2", 'code: "sub\\0"', [(21, "code", "control_character")]),
    ("products:", "produce:", [(7, "produce", "unknown_section"), (9, "product", "product_not_found")]),
    ("code: basic, name: Basic", "code: basic, name: Basic, name: B", [(7, "name", "name_twice")]),
    ("{price: basic-month}]", "{price: basic-month}", [(21, "file", "not_yaml")]),
]


@pytest.mark.parametrize(("found", "put", "faults"), CHANGES, ids=[put[:40] for _, put, _ in CHANGES])
def test_a_wrong_row_is_reported_with_its_line(
    desk: Desk, found: str, put: str, faults: list[tuple[int, str, str]]
) -> None:
    assert found in GOOD
    told = _faults(desk, GOOD.replace(found, put, 1))
    assert told == faults


def test_all_faults_of_a_file_are_told_at_once(desk: Desk) -> None:
    text = GOOD.replace("email: anna@example.com", "email: nobody").replace("unit_amount: 1000", "unit_amount: ten")
    text = text.replace("customer: acct-2", "customer: acct-9")
    assert _faults(desk, text) == [
        (9, "unit_amount", "not_a_number"),
        (13, "email", "not_an_email"),
        (21, "customer", "profile_not_found"),
    ]


def test_a_row_that_is_there_with_other_values_is_refused_and_names_the_field_only(desk: Desk) -> None:
    desk.run(import_file, desk.write("a.yaml", GOOD))
    before = _counts(desk)
    text = GOOD.replace("Anna Beispiel", "Berta Beispiel").replace("unit_amount: 1000", "unit_amount: 1100")
    text = text.replace("start: 2026-01-31", "start: 2026-01-30").replace("next_number: 7", "next_number: 9")
    result = desk.run(import_file, desk.write("b.yaml", text))
    assert result.exit_code == 3
    assert _counts(desk) == before
    told = [line.split(" (")[0] for line in result.stderr.splitlines() if "exists_and_differs" in line]
    assert told == [
        "b.yaml:3: next_number: exists_and_differs",
        "b.yaml:9: unit_amount: exists_and_differs",
        "b.yaml:12: name: exists_and_differs",
        "b.yaml:20: start: exists_and_differs",
    ]
    assert "Berta" not in result.output
    assert "Anna" not in result.output


def test_a_method_that_the_provider_refuses_leaves_nothing_behind(desk: Desk) -> None:
    told = _faults(desk, GOOD.replace("pm_card_visa", "pm_unheard_of"))
    assert told == [(16, "provider_payment_method_id", "refused_by_provider")]


def _fault(desk: Desk, wish: dict[str, Any]) -> None:
    requests.post(f"{desk.server.url}/_sandbox/faults", json=[wish], timeout=5).raise_for_status()


def test_a_lost_answer_is_asked_for_again_and_makes_no_second_customer(desk: Desk) -> None:
    _fault(desk, {"kind": "timeout_after", "next": 1, "path": "/v1/customers"})
    assert desk.run(import_file, desk.write("a.yaml", GOOD)).exit_code == 0
    assert _made(desk)["customer"] == 1


def test_a_provider_that_stays_away_is_said_and_the_next_run_finds_what_the_first_made(desk: Desk) -> None:
    _fault(desk, {"kind": "error_500_before", "rate": 1, "path": "/v1/payment_methods"})
    path = desk.write("a.yaml", GOOD)
    result = desk.run(import_file, path)
    assert result.exit_code == 4, result.output
    assert "Nothing was written" in result.stderr
    assert sum(_counts(desk).values()) == 0
    assert _made(desk)["customer"] == 1
    requests.delete(f"{desk.server.url}/_sandbox/faults", timeout=5)


def test_who_moves_in_keeps_customer_and_method(desk: Desk) -> None:
    headers = {"Authorization": "Bearer sk_test_desk"}
    url = desk.server.url
    customer = requests.post(f"{url}/v1/customers", headers=headers, timeout=5).json()["id"]
    method = requests.post(
        f"{url}/v1/payment_methods/pm_card_visa/attach", data={"customer": customer}, headers=headers, timeout=5
    ).json()["id"]
    text = GOOD.replace("pm_card_visa", f"{method}\n    provider_customer_id: {customer}")
    result = desk.run(import_file, desk.write("a.yaml", text))
    assert result.exit_code == 0, result.output
    with desk.new_session() as session:
        assert session.scalars(select(ProviderCustomer.customer_ref)).one() == customer
        assert session.scalars(select(PaymentMethod.method_ref)).one() == method
    assert _made(desk)["customer"] == 1


def test_a_method_of_another_customer_is_refused(desk: Desk) -> None:
    headers = {"Authorization": "Bearer sk_test_desk"}
    url = desk.server.url
    one, other = (requests.post(f"{url}/v1/customers", headers=headers, timeout=5).json()["id"] for _ in range(2))
    method = requests.post(
        f"{url}/v1/payment_methods/pm_card_visa/attach", data={"customer": one}, headers=headers, timeout=5
    ).json()["id"]
    told = _faults(desk, GOOD.replace("pm_card_visa", f"{method}\n    provider_customer_id: {other}"))
    assert told == [(16, "provider_payment_method_id", "refused_by_provider")]


def test_the_small_example_is_right_and_its_lines_name_columns(desk: Desk) -> None:
    text = (EXAMPLES / "small.csv").read_text(encoding="utf-8")
    told = _faults(desk, text.replace("2026-02-28", "2026-03-01").replace("hanako@", "hanako"), "a.csv")
    assert told == [(4, "email", "not_an_email"), (5, "paid_through", "paid_through_not_a_boundary")]
    result = desk.run(import_file, str(EXAMPLES / "small.csv"))
    assert result.exit_code == 0, result.output
    assert _counts(desk)["subscription"] == 5
    assert _counts(desk)["profile"] == 4
    assert "nothing changed" in desk.run(import_file, str(EXAMPLES / "small.csv")).stdout


CSV = "seller,account_id,subscription,price,quantity\n"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", [(1, "file", "empty_file")]),
        ("seller;account_id\n", [(1, "seller;account_id", "unknown_column")]),
        ("account_id,subscription\n", [(1, "price", "column_missing")]),
        (CSV.replace("quantity", "price"), [(1, "price", "column_twice")]),
        (CSV + "A,b,c\n", [(2, "line", "wrong_number_of_columns")]),
        (CSV + 'A,b,"c,d,1\n', [(2, "line", "not_csv")]),
        (CSV + "\n\nNORD,a,s,p,x\n", [(4, "quantity", "not_a_whole_number")]),
        (CSV + 'NORD,"a\nb",s,p,1\nNORD,a,t,p,x\n', [(4, "quantity", "not_a_whole_number")]),
    ],
)
def test_a_csv_file_that_cannot_be_read_says_where(desk: Desk, text: str, faults: list[tuple[int, str, str]]) -> None:
    assert set(faults) <= set(_faults(desk, text, "a.csv"))


def test_bytes_that_are_not_utf_8_are_refused_with_their_line(desk: Desk) -> None:
    path = desk.folder / "a.csv"
    path.write_bytes(CSV.encode() + "NORD,é,s,p,1\n".encode("latin-1"))
    result = desk.run(import_file, str(path), "--json")
    assert json.loads(result.stdout)["faults"][0] | {"mend": ""} == {
        "line": 2,
        "field": "file",
        "code": "not_utf8",
        "mend": "",
    }


def test_an_alias_is_refused_instead_of_multiplied(desk: Desk) -> None:
    told = _faults(desk, GOOD.replace("{line1:", "&a {line1:").replace("country: FR", "country: FR, address: *a"))
    assert told == [(15, "address", "alias_not_allowed")]


def test_a_file_nested_without_end_is_refused_and_ends_nothing(desk: Desk) -> None:
    assert _faults(desk, "sellers: " + "[" * 100_000) == [(1, "file", "too_deep")]


def test_a_first_bill_reverses_no_charge_for_a_number_of_the_sellers_own_state(desk: Desk) -> None:
    text = GOOD.replace("country: FR", "country: FR, tax_id: DE136695976")
    report = json.loads(desk.run(import_file, desk.write("a.yaml", text), "--dry-run", "--json").stdout)
    assert [bill["total_minor"] for bill in report["first_bills"]] == [2380, 1200]


@pytest.mark.parametrize("ref", ["anna@example.com", "cus 1", "4242424242424242"])
def test_a_customers_id_at_the_provider_is_an_id(desk: Desk, ref: str) -> None:
    text = GOOD.replace("country: FR", f'country: FR, provider_customer_id: "{ref}"')
    assert _faults(desk, text) == [(18, "provider_customer_id", "not_a_customer_id")]


def test_usage_faults_are_told_apart_from_refusals(desk: Desk) -> None:
    assert desk.run(import_file, "nothing.yaml").exit_code == 2
    assert desk.run(import_file, desk.write("a.txt", "x")).exit_code == 2


def test_five_thousand_subscriptions_are_imported_in_seconds(desk: Desk) -> None:
    head = GOOD[: GOOD.index("customers:")]
    customers = "\n".join(f"  - {{account_id: a{n}, name: Anna {n}, country: DE}}" for n in range(5000))
    subscriptions = "\n".join(
        f"  - {{code: s{n}, customer: a{n}, items: [{{price: basic-month}}], start: 2026-01-31}}" for n in range(5000)
    )
    path = desk.write("a.yaml", f"{head}customers:\n{customers}\nsubscriptions:\n{subscriptions}\n")
    started = time.monotonic()
    result = desk.run(import_file, path)
    assert result.exit_code == 0, result.output
    assert time.monotonic() - started < 30
    assert _counts(desk)["subscription_item"] == 5000
    assert _believed(desk, "billing.subscription_item") == 5000
    assert "nothing changed" in desk.run(import_file, path).stdout


@pytest.fixture
def wallets(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account at PayPal beside the one at Stripe."""
    with serving(Store(MEMORY), make=paypal_app) as server:
        monkeypatch.setenv("PAYPAL_API_BASE", server.url)
        monkeypatch.setenv("PAYPAL_CLIENT_ID", "sb-desk")
        monkeypatch.setenv("PAYPAL_CLIENT_SECRET", "desk")
        yield


@pytest.mark.usefixtures("wallets")
def test_the_company_of_the_demo_is_imported_and_found_again(desk: Desk) -> None:
    path = str(EXAMPLES / "company.yaml")
    result = desk.run(import_file, path)
    assert result.exit_code == 0, result.output
    counts = _counts(desk)
    assert counts["profile"] == counts["payment_method"] == 500
    with desk.new_session() as session:
        assert session.scalar(select(func.count()).where(PaymentMethod.kind == "paypal")) == 63
        assert session.scalar(select(func.count(func.distinct(Profile.country)))) == 13
        assert session.scalar(select(func.count(func.distinct(Subscription.currency)))) == 4
    assert "nothing changed" in desk.run(import_file, path).stdout


def test_the_file_of_the_demo_is_what_its_script_makes() -> None:
    made = runpy.run_path(str(EXAMPLES / "make_company.py"))["lines"](500)
    assert "\n".join(made) + "\n" == (EXAMPLES / "company.yaml").read_text(encoding="utf-8")
