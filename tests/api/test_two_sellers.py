"""Two sellers never see each other's rows: reads name theirs, and the database holds where one forgets."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.api.table import OPERATIONS
from billing.commands.seller.create import create_seller
from billing.models import POLICIES
from billing.validators.address import Address
from billing.validators.seller import NewSeller
from tests.api.program import Program, anna, application, basic, key_of
from tests.flows.company import Company


@pytest.fixture
def other(acme: Company) -> Program:
    """A program of another seller of the same database."""
    with acme.parts.begin() as session:
        found = session.scalar(text("SELECT id FROM billing.seller WHERE code = 'OTHER'"))
        if found is None:
            new = NewSeller("OTHER", "Other Ltd", "FR", "eur", address=Address())
            now = acme.parts.clock.now(session)
            found = create_seller(session, new=new, actor="test", reason="a test", now=now).id
    return Program(application(acme.parts), key_of(acme, seller_id=found))


def _at_the_provider(acme: Company, shop: Program, profile: str) -> dict[str, str]:
    """A method, an attempt, and an event of the provider about them; the account is the other seller's as well."""
    acme.give_method(UUID(profile), "pm_card_visa")
    acme.settle()
    invoice = shop.ok("GET", f"/invoices?profile_id={profile}")["data"][0]["id"]
    payment = shop.ok("GET", f"/invoices/{invoice}")["attempts"][0]["id"]
    with acme.parts.begin() as session:
        about = text("SELECT charge_ref FROM billing.payment WHERE id = :id")
        charge = session.scalar(about, {"id": payment})
    (event, *_) = shop.ok("GET", f"/provider-events?object_ref={charge}")["data"]
    method = shop.ok("GET", f"/payment-methods?profile_id={profile}")["data"][0]["id"]
    return {"payment-methods": method, "payments": payment, "provider-events": event["id"]}


def test_nothing_of_another_seller_is_found_by_its_id_or_listed(acme: Company, shop: Program, other: Program) -> None:
    customer = anna()
    profile = shop.ok("POST", "/profiles", customer)["id"]
    made = shop.ok("POST", "/subscriptions", basic(customer))
    ids = {
        "profiles": profile,
        "subscriptions": made["id"],
        "invoices": made["latest_invoice"]["id"],
        "prices": shop.ok("GET", "/prices")["data"][0]["id"],
        "products": shop.ok("GET", "/products")["data"][0]["id"],
        "events": shop.ok("GET", "/events")["data"][0]["id"],
        "tax-rates": shop.ok("GET", "/tax-rates")["data"][0]["id"],
        **_at_the_provider(acme, shop, profile),
    }
    nowhere = "01990c2e-0000-7000-8000-000000000000"
    bodies = {"reason": "a test", "action": "park", "coupon": "c", "items": [{"price": "basic"}], "amount_minor": 1,
              "currency": "eur", "description": "x", "since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z",
              "name": "x", "country": "DE", "position": 1, "to": "basic", "address": None}  # fmt: skip
    for each in OPERATIONS:
        noun = each.path.split("/")[1]
        if "{id}" in each.path:
            needed = (
                [name for name, field in each.body.model_fields.items() if field.is_required()] if each.body else []
            )
            body = {name: bodies[name] for name in needed} if each.body else None
            if body is not None and each.name == "settle_work_item":
                body["action"] = "paid"
            refused = other.refused(each.method, each.path.replace("{id}", ids.get(noun, nowhere)), body)
            assert refused == (404, "not_found"), each.name
        elif each.method == "GET" and noun not in (
            "payment-methods",
            "refunds",
            "reports",
            "ledger",
            "provider-events",
        ):
            shown = other.ok("GET", each.path)["data"]
            assert not {row["id"] for row in shown} & set(ids.values()), each.name
    assert other.ok("GET", f"/invoices?profile_id={profile}")["data"] == []
    assert other.ok("GET", f"/payment-methods?profile_id={profile}")["data"] == []
    for report in ("tax?month=2026-01", "aging?as_of=2026-02-01", "deferred?as_of=2026-02-01"):
        assert other.ok("GET", f"/reports/{report}") == {"rows": [], "ties": []}
    assert shop.ok("GET", "/reports/tax?month=2026-01")["rows"]
    assert other.ok("GET", "/ledger/trial-balance?as_of=2026-02-01") == {"data": []}


def test_the_database_holds_where_a_query_forgets_its_filter(acme: Company, shop: Program, other: Program) -> None:
    customer = anna()
    shop.ok("POST", "/profiles", customer)
    shop.ok("POST", "/subscriptions", basic(customer))
    with acme.parts.begin() as session:
        seller = session.scalar(text("SELECT id FROM billing.seller WHERE code = 'OTHER'"))
        assert session.scalar(text("SELECT count(*) FROM billing.invoice")) > 0
    walled = acme.parts.for_seller(seller)
    with walled.begin() as session:
        for table in POLICIES:
            if table in ("seller", "series", "audit_trail", "api_key"):
                continue
            found = session.scalar(text(f"SELECT count(*) FROM billing.{table}"))
            assert found == 0, table
        assert session.scalars(text("SELECT code FROM billing.seller")).all() == ["OTHER"]
        assert session.execute(text("UPDATE billing.invoice SET status = 'void'")).rowcount == 0  # type: ignore[attr-defined]
    with pytest.raises(DBAPIError), walled.begin() as session:
        session.execute(
            text("INSERT INTO billing.product (id, seller_id, code, name) VALUES (gen_random_uuid(), :acme, 'x', 'x')"),
            {"acme": acme.seller_id},
        )
    with acme.parts.begin() as session:
        assert session.scalar(text("SELECT current_setting('role')")) == "none"


def test_who_names_no_seller_behind_the_wall_sees_nothing(acme: Company, shop: Program) -> None:
    shop.ok("POST", "/profiles", anna())
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL ROLE billing_seller"))
        assert session.scalar(text("SELECT count(*) FROM billing.profile")) == 0
