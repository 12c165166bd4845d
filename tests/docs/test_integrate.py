"""Each page leads to the first paid invoice: its requests are sent, its file is taken in, as they stand there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import requests
from sqlalchemy import text

from billing.sandbox.paypal.doors import DOORS as PAYPALS_DOORS
from billing.sandbox.paypal.wallets import WALLETS
from billing.sandbox.stripe.browser import _TEST_CARDS
from billing.sandbox.stripe.doors import DOORS
from billing.sandbox.stripe.faults import REQUEST_KINDS, WEBHOOK_KINDS
from tests.api.program import Program, application, key_of
from tests.flows.company import Company, company
from tests.ops.office import office_of

ROOT = Path(__file__).parents[2]
PAGES, FILES = ROOT / "docs" / "integrate", ROOT / "examples" / "integrate"
SELLER = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
FILE = re.compile(r"```csv\n(.*?)```", re.DOTALL)
BLOCK = re.compile(r"```http\n(\w+) (\S+)(?: -> (\w+))?\n(.*?)```", re.DOTALL)


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, patience_s=30) as made:
        yield made


def test_the_page_leads_to_a_paid_invoice(acme: Company) -> None:
    shop = Program(application(acme.parts), key_of(acme))
    named: dict[str, str] = {}
    listed = []
    for method, path, name, body in BLOCK.findall((PAGES / "by-http.md").read_text()):
        for known, id_ in named.items():
            path, body = path.replace(f"{{{known}}}", id_), body.replace(f"{{{known}}}", id_)  # noqa: PLW2901
        if path.startswith("/subscriptions") and "subscription" not in named:
            # What the customer does on the provider's form.
            acme.give_method(UUID(named["profile"]), "pm_card_visa")
        answer = shop.ok(method, path, json.loads(body) if body.strip() else None)
        if name:
            named[name] = answer["id"]
            acme.settle()
        if method == "GET":
            listed = answer["data"]
    assert [each["status"] for each in listed] == ["paid"]
    assert answer["cancel_at"]


def test_a_rate_changes_as_the_page_on_pricing_says(acme: Company) -> None:
    shop = Program(application(acme.parts), key_of(acme))
    ((method, path, _, body),) = BLOCK.findall((ROOT / "docs" / "pricing.md").read_text())
    made = shop.ok(method, path, json.loads(body))
    assert shop.ok("GET", f"/tax-rates/{made['id']}") == made
    assert [(each["starts_on"], each["percent"], each["countries"]) for each in made["changes"]] == [
        ("2027-01-01", "20", {}), ("2027-07-01", None, {"EE": "25"}),
    ]  # fmt: skip
    twice = {"name": "standard", "percent": "19", "changes": 2 * [{"starts_on": "2027-01-01", "percent": "20"}]}
    assert shop.refused("POST", "/tax-rates", twice) == (422, "day_twice")
    assert shop.refused("POST", "/tax-rates", {"name": "standard", "percent": "19", "inclusive": True}) == (
        409, "tax_included_fixed",
    )  # fmt: skip
    assert shop.ok("GET", f"/tax-rates/{made['id']}") == made


def test_what_the_page_for_tests_names_is_there() -> None:
    page = (PAGES / "test-your-integration.md").read_text()
    asked = set(re.findall(r"`(POST|GET|DELETE) ([a-z_]+[^ `]*)`", page)) | set(
        re.findall(r"stand_in (POST|GET|DELETE) ([a-z_/]+)", page)
    )
    doors = {(method, re.sub(r"<id>", "…", path)) for method, path in DOORS}
    named = {(method, re.sub(r"[a-z]+_…", "…", path)) for method, path in asked}
    assert len(named) > 12
    assert named <= doors
    cards = set(re.findall(r"^\| ([0-9]{4}(?: [0-9]{4}){3}) \|", page, re.MULTILINE))
    assert len(cards) == 5
    assert cards <= _TEST_CARDS.keys()
    wallets = set(re.findall(r"`(?:B-SANDBOX)?(-[A-Z]+)`", page)) | {"-GOOD"}
    assert len(wallets) == 6
    assert {f"B-SANDBOX{each}" for each in wallets} <= WALLETS.keys()
    assert ("POST", "setup-tokens/<id>/approve") in PAYPALS_DOORS
    assert "/_sandbox/setup-tokens/$SETUP_REF/approve" in page
    told = set(re.findall(r"`([a-z0-9_]+)`", page.partition("Kinds: ")[2].partition("\n\n")[0]))
    assert told - {"ms"} == REQUEST_KINDS | WEBHOOK_KINDS


def _kept_already(acme: Company) -> tuple[str, str]:
    """A customer and a method that the provider keeps from the time before: their ids there."""

    def post(path: str, **form: str) -> str:
        answer = requests.post(
            f"{acme.witness_url}/v1/{path}", data=form, headers={"Authorization": "Bearer sk_test_company"}, timeout=5
        )
        answer.raise_for_status()
        return str(answer.json()["id"])

    customer = post("customers")
    return customer, post("payment_methods/pm_card_visa/attach", customer=customer)


def test_the_file_of_the_page_leads_to_a_paid_invoice(
    database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (csv,) = FILE.findall((PAGES / "by-import.md").read_text())
    (seller,) = SELLER.findall((PAGES / "by-http.md").read_text())
    assert (csv, seller) == ((FILES / "customers.csv").read_text(), (FILES / "seller.yaml").read_text())
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as office:
        customer, method = _kept_already(office.acme)
        file = tmp_path / "customers.csv"
        file.write_text(csv.replace("cus_OfAnna", customer).replace("pm_OfAnna", method))
        tried = office.read("import", str(file), "--dry-run")
        assert [(bill["at"], bill["total_minor"]) for bill in tried["first_bills"]] == [("2026-01-31T00:00:00Z", 3451)]
        office.ok("import", str(file))
        office.settle()
        with office.acme.begin() as session:
            billed = session.execute(text("SELECT number, status, total_minor FROM billing.invoice")).all()
        assert billed == [("SHOP-001042", "paid", 3451)]
        assert [each.customer_ref for each in office.acme.witness.charges()] == [customer]
        assert "nothing changed" in office.ok("import", str(file))
        # The seller of the page for HTTP is the same one.
        assert "nothing changed" in office.ok("import", str(FILES / "seller.yaml"))
