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
    Profile,
    ProviderCustomer,
    Series,
    Subscription,
)
from billing.ops.importing import import_file
from billing.sandbox.paypal.app import create_app as paypal_app
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store
from tests.ops.conftest import Desk
from tests.ops.import_files import GOOD, counts, faults_of

EXAMPLES = Path(__file__).parents[2] / "examples"


def _believed(desk: Desk, table: str) -> float:
    """How many rows the server plans for."""
    with desk.new_session() as session:
        found = session.scalar(text("SELECT reltuples FROM pg_class WHERE oid = CAST(:t AS regclass)"), {"t": table})
        return float(found)


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
    before, made = counts(desk), _made(desk)
    result = desk.run(import_file, path)
    assert result.exit_code == 0, result.output
    assert "nothing changed" in result.stdout
    assert (counts(desk), _made(desk)) == (before, made)


def test_a_longer_file_adds_only_what_is_new(desk: Desk) -> None:
    desk.run(import_file, desk.write("a.yaml", GOOD))
    more = GOOD + "  - {code: sub-3, customer: acct-1, items: [{price: basic-month}], start: 2026-02-01}\n"
    result = desk.run(import_file, desk.write("b.yaml", more), "--json")
    report = json.loads(result.stdout)
    assert {noun: count for noun, count in report["created"].items() if count} == {"subscriptions": 1}
    assert report["unchanged"]["customers"] == 2
    assert counts(desk)["subscription"] == 3


def test_a_dry_run_writes_nothing_and_prints_first_bills_with_tax(desk: Desk) -> None:
    result = desk.run(import_file, desk.write("a.yaml", GOOD), "--dry-run")
    assert result.exit_code == 0, result.output
    assert "2026-01-31T00:00:00Z" in result.stdout
    assert "23.80 EUR" in result.stdout
    assert "12.00 EUR" in result.stdout
    assert "Would import" in result.stdout
    assert sum(counts(desk).values()) == 0
    assert "customer" not in _made(desk)


def test_what_has_entries_of_its_own_may_be_given_without_any(desk: Desk) -> None:
    text = GOOD.replace("account_id: acct-2,", "account_id: acct-2, address: {},")
    text = text.replace("next_number: 7", "next_number: 7, address: {}, dunning: {}")
    assert desk.run(import_file, desk.write("a.yaml", text)).exit_code == 0
    assert counts(desk)["profile"] == 2


def test_what_has_begun_already_is_said_before_it_is_billed(desk: Desk) -> None:
    text = GOOD.replace("start: 2026-01-31", "start: 2025-11-15")
    report = json.loads(desk.run(import_file, desk.write("a.yaml", text), "--dry-run", "--json").stdout)
    assert [bill["due_now"] for bill in report["first_bills"]] == [2, 0]
    assert report["first_bills"][0]["at"] == "2025-11-15T00:00:00Z"


def test_a_row_that_is_there_with_other_values_is_refused_and_names_the_field_only(desk: Desk) -> None:
    desk.run(import_file, desk.write("a.yaml", GOOD))
    before = counts(desk)
    text = GOOD.replace("Anna Beispiel", "Berta Beispiel").replace("unit_amount: 1000", "unit_amount: 1100")
    text = text.replace("start: 2026-01-31", "start: 2026-01-30").replace("next_number: 7", "next_number: 9")
    result = desk.run(import_file, desk.write("b.yaml", text))
    assert result.exit_code == 3
    assert counts(desk) == before
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
    told = faults_of(desk, GOOD.replace("pm_card_visa", "pm_unheard_of"))
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
    assert sum(counts(desk).values()) == 0
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


def test_who_moves_in_with_a_name_that_the_provider_has_for_tests_gets_a_method_of_their_own(desk: Desk) -> None:
    made = requests.post(f"{desk.server.url}/v1/customers", headers={"Authorization": "Bearer sk_test_desk"}, timeout=5)
    text = GOOD.replace("pm_card_visa", f"pm_card_visa\n    provider_customer_id: {made.json()['id']}")
    result = desk.run(import_file, desk.write("a.yaml", text))
    assert result.exit_code == 0, result.output
    with desk.new_session() as session:
        assert not session.scalars(select(PaymentMethod.method_ref)).one().startswith("pm_card")


def test_a_method_of_another_customer_is_refused(desk: Desk) -> None:
    headers = {"Authorization": "Bearer sk_test_desk"}
    url = desk.server.url
    one, other = (requests.post(f"{url}/v1/customers", headers=headers, timeout=5).json()["id"] for _ in range(2))
    method = requests.post(
        f"{url}/v1/payment_methods/pm_card_visa/attach", data={"customer": one}, headers=headers, timeout=5
    ).json()["id"]
    told = faults_of(desk, GOOD.replace("pm_card_visa", f"{method}\n    provider_customer_id: {other}"))
    assert told == [(16, "provider_payment_method_id", "refused_by_provider")]


def test_the_small_example_is_right_and_its_lines_name_columns(desk: Desk) -> None:
    text = (EXAMPLES / "small.csv").read_text(encoding="utf-8")
    told = faults_of(desk, text.replace("2026-02-28", "2026-03-01").replace("hanako@", "hanako"), "a.csv")
    assert told == [(4, "email", "not_an_email"), (5, "paid_through", "paid_through_not_a_boundary")]
    result = desk.run(import_file, str(EXAMPLES / "small.csv"))
    assert result.exit_code == 0, result.output
    assert counts(desk)["subscription"] == 5
    assert counts(desk)["profile"] == 4
    assert "nothing changed" in desk.run(import_file, str(EXAMPLES / "small.csv")).stdout


def test_a_first_bill_reverses_no_charge_for_a_number_of_the_sellers_own_state(desk: Desk) -> None:
    text = GOOD.replace("country: FR", "country: FR, tax_id: DE136695976")
    report = json.loads(desk.run(import_file, desk.write("a.yaml", text), "--dry-run", "--json").stdout)
    assert [bill["total_minor"] for bill in report["first_bills"]] == [2380, 1200]


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
    assert counts(desk)["subscription_item"] == 5000
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
    found = counts(desk)
    assert found["profile"] == found["payment_method"] == 500
    with desk.new_session() as session:
        assert session.scalar(select(func.count()).where(PaymentMethod.kind == "paypal")) == 63
        assert session.scalar(select(func.count(func.distinct(Profile.country)))) == 13
        assert session.scalar(select(func.count(func.distinct(Subscription.currency)))) == 4
    assert "nothing changed" in desk.run(import_file, path).stdout


def test_the_file_of_the_demo_is_what_its_script_makes() -> None:
    made = runpy.run_path(str(EXAMPLES / "make_company.py"))["lines"](500)
    assert "\n".join(made) + "\n" == (EXAMPLES / "company.yaml").read_text(encoding="utf-8")
