"""`billing import`: every price model, coupons, trials, anchors and the seller's policy; found again as they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from billing.models import Seller, Subscription, SubscriptionItem
from billing.ops.importing import import_file
from billing.ops.usage import record
from tests.ops.conftest import Desk
from tests.ops.import_files import counts, faults_of

EVERYTHING = """
sellers:
  - {code: NORD, legal_name: Nordlicht GmbH, country: DE, currency: eur, proration: day, oss: union, draft_review_h: 24,
     dunning: {retries: [2d, 12h], final: keep, hours: "9-17", card_limit: final}, upcoming_days: 3,
     method_kinds: [card, sepa_debit], debit_notice_days: 2, creditor_id: DE98ZZZ09999999999,
     number_prefix: "RE-{year}-", credit_note_prefix: GS-,
     payment_instructions: "Beispielbank, DE89370400440532013000", document_footer: "HRB 1 Musterstadt\\nN. Nord"}
tax_rates:
  - name: standard
    percent: "19"
    countries: {FR: "20"}
    changes: [{starts_on: 2027-07-01, countries: {EE: "24"}}, {starts_on: "2027-01-01", percent: "20"}]
products:
  - {code: app, name: App}
prices:
  - {code: flat, product: app, currency: eur, unit_amount: 3100, interval: month, tax_rate: standard, model: flat}
  - {code: packs, product: app, currency: eur, unit_amount: "99.5", interval: month, model: package,
     package_size: 10, tax_rate: standard}
  - {code: setup, product: app, currency: eur, unit_amount: 5000, interval: null, tax_rate: standard}
  - code: api
    product: app
    currency: eur
    interval: month
    usage: sum
    model: graduated
    tiers: [{up_to: 1000, unit: 0}, {up_to: 10000, unit: "0.5", flat: 100}, {up_to: inf, unit: "0.25"}]
  - {code: peak, product: app, currency: eur, interval: month, usage: max, model: volume, tiers: [{unit: 3}]}
coupons:
  - {code: half, percent: "50", duration: repeating, periods: 3}
  - {code: five, amount: 500, currency: eur}
  - {code: usd, amount: 500, currency: usd}
customers:
  - {account_id: a, name: Anna Beispiel, country: DE, timezone: Europe/Berlin}
subscriptions:
  - {code: trial, customer: a, items: [{price: flat}, {price: setup}], start: 2026-03-20T10:00:00Z, trial_days: 14}
  - {code: stub, customer: a, items: [{price: flat}, {price: api}], start: 2026-01-15T23:00:00Z,
     anchor: 2026-01-31T23:00:00Z}
  - {code: half, customer: a, items: [{price: flat, quantity: 1}, {price: packs, quantity: 11}], start: 2026-02-01,
     coupon: half}
  - {code: five, customer: a, items: [{price: peak}, {price: setup, quantity: 2}], start: 2026-02-01, coupon: five}
  - {code: zero, customer: a, items: [{price: flat}], start: 2026-02-01, trial_days: 0}
"""


def test_every_model_coupon_trial_and_anchor_is_taken_in_and_found_again(desk: Desk) -> None:
    path = desk.write("a.yaml", EVERYTHING)
    report = json.loads(desk.run(import_file, path, "--dry-run", "--json").stdout)
    bills = {bill["subscription"]: (bill["at"], bill["total_minor"], bill["due_now"]) for bill in report["first_bills"]}
    assert bills == {
        # The trial ends on the same local hour after the clocks went forward, and the set-up is charged then.
        "trial": ("2026-04-03T09:00:00Z", 9639, 0),
        # 16 of 31 days.
        "stub": ("2026-01-15T23:00:00Z", 1904, 0),
        "half": ("2026-02-01T00:00:00Z", 1962, 0),
        "five": ("2026-02-01T00:00:00Z", 11305, 0),
        "zero": ("2026-02-01T00:00:00Z", 3689, 0),
    }
    result = desk.run(import_file, path)
    assert result.exit_code == 0, result.output
    assert "5 prices, 3 coupons" in result.stdout
    before = counts(desk)
    again = desk.run(import_file, path)
    assert (again.exit_code, "nothing changed" in again.stdout) == (0, True), again.output
    assert counts(desk) == before
    with desk.new_session() as session:
        seller = session.scalars(select(Seller)).one()
        found = {each.code: each for each in session.scalars(select(Subscription))}
    assert (seller.proration, seller.oss, seller.draft_review_h) == ("day", "union", 24)
    assert (seller.dunning_retry_s, seller.dunning_final) == ([172_800, 43_200], "keep")
    assert (seller.retry_first_h, seller.retry_end_h, seller.card_limit, seller.upcoming_days) == (9, 17, "final", 3)
    assert (seller.method_kinds, seller.debit_notice_days) == (["card", "sepa_debit"], 2)
    assert seller.creditor_id == "DE98ZZZ09999999999"
    assert seller.payment_instructions == "Beispielbank, DE89370400440532013000"
    assert (seller.number_prefix, seller.credit_note_prefix) == ("RE-{year}-", "GS-")
    assert seller.document_footer == "HRB 1 Musterstadt\nN. Nord"
    assert (found["trial"].status, found["trial"].trial_end) == ("trialing", datetime(2026, 4, 3, 9, tzinfo=UTC))
    assert (found["stub"].next_period_no, found["stub"].anchor_at) == (-1, datetime(2026, 1, 31, 23, tzinfo=UTC))
    assert found["five"].coupon_id is not None


def test_what_began_otherwise_is_told_by_its_field(desk: Desk) -> None:
    assert desk.run(import_file, desk.write("a.yaml", EVERYTHING)).exit_code == 0
    text = EVERYTHING.replace("trial_days: 14", "trial_days: 15").replace("anchor: 2026-01-31T", "anchor: 2026-01-30T")
    text = text.replace("coupon: half", "coupon: five").replace("periods: 3", "periods: 4")
    text = text.replace("package_size: 10", "package_size: 12").replace("up_to: 1000,", "up_to: 900,")
    text = text.replace('percent: "20"', 'percent: "21"')
    result = desk.run(import_file, desk.write("b.yaml", text), "--json")
    assert result.exit_code == 3
    assert [(each["field"], each["code"]) for each in json.loads(result.stdout)["faults"]] == [
        (field, "exists_and_differs")
        for field in ("changes", "package_size", "tiers", "periods", "trial_days", "anchor", "coupon")
    ]


@pytest.mark.parametrize(
    ("found", "put", "faults"),
    [
        ("coupon: five}", "coupon: six}", [("coupon", "coupon_not_found")]),
        ("coupon: five}", "coupon: usd}", [("coupon", "coupon_of_another_currency")]),
        ('percent: "50"', 'percent: "0"', [("percent", "percent_range")]),
        ("amount: 500, currency: eur", "amount: 5.5, currency: eur", [("amount", "not_a_whole_number")]),
        (", interval: null", "", [("interval", "not_one_of")]),
        ("model: flat", "model: none", [("model", "not_one_of")]),
        ("package_size: 10, tax", "tax", [("package_size", "missing")]),
        ("unit_amount: 3100, ", "", [("unit_amount", "missing")]),
        ("up_to: 10000", "up_to: 100", [("tiers.2.up_to", "tiers_not_ascending")]),
        ("up_to: inf", "up_to: 20000", [("tiers.3.up_to", "last_tier_not_open")]),
        ("up_to: 10000", "up_to: 1e4", [("tiers.2.up_to", "not_a_number")]),
        ("usage: sum", "usage: avg", [("usage", "not_one_of")]),
        ("{price: api}", "{price: api, quantity: 1}", [("items.2.quantity", "quantity_of_metered")]),
        ("trial_days: 14", "trial_days: -1", [("trial_days", "out_of_range")]),
        ("oss: union", "oss: nowhere", [("oss", "not_one_of")]),
        ("credit_note_prefix: GS-", "credit_note_prefix: GS", [("credit_note_prefix", "not_a_prefix")]),
        ("credit_note_prefix: GS-", 'credit_note_prefix: "RE-{year}-"', [("credit_note_prefix", "prefix_taken")]),
        ("draft_review_h: 24", "draft_review_h: 1000", [("draft_review_h", "out_of_range")]),
        ('hours: "9-17"', "hours: morning", [("dunning.hours", "not_hours")]),
        ('hours: "9-17"', 'hours: "17-9"', [("dunning_hours", "out_of_range")]),
        ("card_limit: final", "card_limit: ignore", [("card_limit", "not_one_of")]),
        ("card_limit: final", "card_limit: off", [("dunning.card_limit", "not_a_text")]),
        ("sepa_debit]", "cash]", [("method_kinds", "not_one_of")]),
        (", creditor_id: DE98ZZZ09999999999", "", [("creditor_id", "missing")]),
        ("upcoming_days: 3", "upcoming_days: 61", [("upcoming_days", "out_of_range")]),
        ("country: DE, timezone", "country: IT, timezone", [("items", "destination_rate_missing")]),
        ('"2027-01-01"', "2027-07-01", [("changes.2.starts_on", "day_twice")]),
        ("starts_on: 2027-07-01", "starts_on: 2027-02-30", [("changes.1.starts_on", "not_a_day")]),
        ('starts_on: "2027-01-01"', 'starts_on: "soon"', [("changes.2.starts_on", "not_a_day")]),
        ('starts_on: "2027-01-01", percent', "percent", [("changes.2.starts_on", "missing")]),
        (', countries: {EE: "24"}', "", [("changes.1", "changes_nothing")]),
        ('{EE: "24"}', '{EL: "24"}', [("changes.1.countries.EL", "unknown_country")]),
        ('{EE: "24"}', '"24"', [("changes.1.countries", "not_a_mapping")]),
        ("changes: [{starts_on: 2027-07-01", "changes: 2027-07-01 #", [("changes", "not_a_list")]),
    ],
)
def test_what_is_wrong_with_the_new_fields_is_told(
    desk: Desk, found: str, put: str, faults: list[tuple[str, str]]
) -> None:
    assert found in EVERYTHING
    told = {(field, code) for _, field, code in faults_of(desk, EVERYTHING.replace(found, put, 1))}
    assert set(faults) <= told, told


def test_a_csv_line_brings_a_metered_price_and_a_coupon(desk: Desk) -> None:
    head = "seller,seller_name,seller_country,seller_currency,product,product_name,account_id,name,country"
    head += ",subscription,price,quantity,unit_amount,currency,interval,usage,tax_rate,coupon,coupon_percent"
    head += ",trial_days,start"
    same = "NORD,Nord GmbH,DE,eur,app,App,a,Anna,DE"
    lines = [
        f"{same},s1,api,,2,eur,month,sum,,ten,10,14,2026-02-01",
        f"{same},s2,basic,2,1000,eur,month,,,ten,,,2026-02-01",
    ]
    path = desk.write("a.csv", "\n".join([head, *lines]))
    result = desk.run(import_file, path)
    assert result.exit_code == 0, result.output
    assert "1 coupons" in result.stdout
    assert "nothing changed" in desk.run(import_file, path).stdout
    with desk.new_session() as session:
        assert session.scalars(select(SubscriptionItem.quantity).order_by(SubscriptionItem.id)).all() == [None, 2]


def test_the_example_with_a_metered_price_is_taken_in_and_so_is_its_usage(desk: Desk) -> None:
    examples = Path(__file__).parents[2] / "examples"
    assert (examples / "metered.yaml").read_text() in (
        examples.parent / "docs" / "integrate" / "by-import.md"
    ).read_text()
    result = desk.run(import_file, str(examples / "metered.yaml"))
    assert result.exit_code == 0, result.output
    result = desk.run(record, str(examples / "usage.csv"), "--reason", "an example")
    assert (result.exit_code, "Recorded 2" in result.stdout) == (0, True), result.output


def test_a_sellers_code_that_no_database_can_hold_is_a_fault_of_its_line(desk: Desk) -> None:
    result = desk.run(
        import_file, desk.write("a.yaml", 'sellers:\n  - {code: "N\\0", legal_name: Nord, country: DE}\n')
    )
    assert result.exit_code == 3, result.output
    assert "a.yaml:2: code: control_character (remove line breaks" in result.stderr
