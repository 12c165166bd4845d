"""`billing import`: a wrong file writes nothing, and each of its faults is told with its line."""

from __future__ import annotations

import json

import pytest

from billing.ops.importing import import_file
from tests.ops.conftest import Desk
from tests.ops.import_files import GOOD, faults_of

_FIRST = next(line for line in GOOD.splitlines(keepends=True) if "sub-1" in line)
CHANGES: list[tuple[str, str, list[tuple[int, str, str]]]] = [
    ("legal_name: Nordlicht GmbH", "legal_name: ''", [(3, "legal_name", "missing")]),
    ('percent: "19"', "percent: 19.5", [(5, "percent", "float_not_exact")]),
    ('FR: "20"', 'NO: "25"', [(5, "countries.NO", "not_a_text")]),
    ("unit_amount: 1000", "unit_amount: -5", [(9, "unit_amount", "negative")]),
    ("unit_amount: 1000", "unit_amount: ten", [(9, "unit_amount", "not_a_number")]),
    ('countries: {FR: "20"}', "countries: 20", [(5, "countries", "not_a_mapping")]),
    ("next_number: 7", "dunning: {retries: 3d}", [(3, "dunning.retries", "not_a_list")]),
    ("next_number: 7", "dunning: none", [(3, "dunning", "not_a_mapping")]),
    ("next_number: 7", "address: Beispielweg 1", [(3, "address", "not_a_mapping")]),
    ("tax_rate: standard", "tax_rate: standard, tiers: 5", [(9, "tiers", "not_a_list")]),
    ("items: [{price: basic-month}]", "items: basic-month", [(21, "items", "not_a_list")]),
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
    ("pm_card_visa", "pm card", [(16, "provider_payment_method_id", "not_a_method_id")]),
    ("customer: acct-2", "customer: acct-9", [(21, "customer", "profile_not_found")]),
    ("price: basic-month, quantity: 2", "price: basic-month, quantity: 0", [(20, "items.1.quantity", "out_of_range")]),
    ("price: basic-month, quantity: 2", "price: other, quantity: 2", [(20, "items.1.price", "price_not_found")]),
    ("start: 2026-01-31", "start: 2026-01-31T10:00", [(20, "start", "time_without_offset")]),
    (", start: 2026-01-31", "", [(20, "start", "missing")]),
    ("start: 2026-01-31", "start: 1900-01-31", [(20, "start", "start_too_early")]),
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
    told = faults_of(desk, GOOD.replace(found, put, 1))
    assert told == faults


def test_all_faults_of_a_file_are_told_at_once(desk: Desk) -> None:
    text = GOOD.replace("email: anna@example.com", "email: nobody").replace("unit_amount: 1000", "unit_amount: ten")
    text = text.replace("customer: acct-2", "customer: acct-9")
    assert faults_of(desk, text) == [
        (9, "unit_amount", "not_a_number"),
        (13, "email", "not_an_email"),
        (21, "customer", "profile_not_found"),
    ]


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
    assert set(faults) <= set(faults_of(desk, text, "a.csv"))


def test_of_several_unknown_columns_one_says_which_there_are(desk: Desk) -> None:
    result = desk.run(import_file, desk.write("a.csv", CSV.replace("\n", ",colour,size\n")))
    assert result.stderr.count("unknown_column") == 2
    assert result.stderr.count("columns are account_id, ") == 1


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
    told = faults_of(desk, GOOD.replace("{line1:", "&a {line1:").replace("country: FR", "country: FR, address: *a"))
    assert told == [(15, "address", "alias_not_allowed")]


def test_a_file_nested_without_end_is_refused_and_ends_nothing(desk: Desk) -> None:
    assert faults_of(desk, "sellers: " + "[" * 100_000) == [(1, "file", "too_deep")]


@pytest.mark.parametrize("ref", ["anna@example.com", "cus 1", "4242424242424242"])
def test_a_customers_id_at_the_provider_is_an_id(desk: Desk, ref: str) -> None:
    text = GOOD.replace("country: FR", f'country: FR, provider_customer_id: "{ref}"')
    assert faults_of(desk, text) == [(18, "provider_customer_id", "not_a_customer_id")]


def test_usage_faults_are_told_apart_from_refusals(desk: Desk) -> None:
    assert desk.run(import_file, "nothing.yaml").exit_code == 2
    assert desk.run(import_file, desk.write("a.txt", "x")).exit_code == 2
