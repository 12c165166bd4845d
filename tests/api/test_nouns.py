"""What programs do with the API, from a new customer to the paid invoice."""

from __future__ import annotations

from uuid import UUID, uuid4

from tests.api.program import Program, anna, basic
from tests.flows.company import Company


def test_a_customer_subscribes_and_pays(acme: Company, shop: Program) -> None:
    customer = anna()
    profile = shop.ok("POST", "/profiles", customer)
    assert customer["name"] not in str(profile)
    acme.give_method(UUID(profile["id"]), "pm_card_visa")
    made = shop.ok("POST", "/subscriptions", basic(customer))
    assert made["latest_invoice"]["status"] == "open"
    assert made["latest_invoice"]["total_minor"] == 1190
    acme.settle()
    invoice = shop.ok("GET", f"/invoices/{made['latest_invoice']['id']}")
    assert (invoice["status"], invoice["amount_remaining_minor"]) == ("paid", 0)
    assert invoice["lines"][0]["unit_amount"] == "1000"
    assert invoice["attempts"][0]["status"] == "succeeded"
    assert not acme.violations()


def test_a_profile_is_changed_whole_and_only_by_who_saw_its_version(acme: Company, shop: Program) -> None:
    customer = anna()
    made = shop.ask("POST", "/profiles", customer)
    assert made.headers["ETag"] == '"1"'
    path = f"/profiles/{made.json['id']}"
    change = {"name": "Anna Muster", "country": "AT"}
    assert shop.ok("PUT", path, change, If_Match="1")["country"] == "AT"
    assert shop.refused("PUT", path, change, If_Match='"1"') == (412, "stale")
    assert shop.refused("PUT", path, change, If_Match="new") == (422, "not_a_version")
    assert shop.refused("GET", f"/profiles/{uuid4()}") == (404, "not_found")


def test_a_subscription_is_changed_as_it_was_previewed(acme: Company, shop: Program) -> None:
    customer = anna()
    acme.price("pro", 3000)
    shop.ok("POST", "/profiles", customer)
    path = f"/subscriptions/{shop.ok('POST', '/subscriptions', basic(customer))['id']}"
    wish = {"items": [{"price": "pro"}], "proration": "invoice_now"}
    seen = shop.ok("POST", f"{path}/preview-change", wish)
    assert len(seen["documents"]) == 1
    applied = shop.ok("POST", "/previews/apply", {"token": seen["token"]})
    assert applied["items"] == [{"price": "pro", "quantity": 1}]
    assert applied["latest_invoice"]["total_minor"] == seen["documents"][0]["total_minor"]
    assert shop.refused("POST", "/previews/apply", {"token": seen["token"]}) == (412, "stale")


def test_a_subscription_is_canceled_paused_and_goes_on(acme: Company, shop: Program) -> None:
    customer = anna()
    shop.ok("POST", "/profiles", customer)
    made = shop.ok("POST", "/subscriptions", basic(customer))
    path = f"/subscriptions/{made['id']}"
    canceled = shop.ok("POST", f"{path}/cancel", {}, If_Match=str(made["version"]))
    assert canceled["cancel_at"] == canceled["current_period_end"]
    assert shop.refused("POST", f"{path}/cancel", {}, If_Match=str(made["version"])) == (412, "stale")
    assert shop.ok("POST", f"{path}/uncancel", {})["cancel_at"] is None
    assert shop.ok("POST", f"{path}/pause", {"reason": "on holiday"})["status"] == "paused"
    assert shop.ok("POST", f"{path}/resume", {})["status"] == "active"
    assert shop.ok("POST", f"{path}/cancel", {"when": "now"})["status"] == "canceled"
    assert shop.refused("POST", f"{path}/pause", {}) == (409, "subscription_canceled")


def test_lists_go_on_where_they_ended_whatever_is_added_meanwhile(acme: Company, shop: Program) -> None:
    for customer in (anna(), anna(), anna()):
        shop.ok("POST", "/profiles", customer)
        shop.ok("POST", "/subscriptions", basic(customer))
    for path, named in (("/profiles", "account_id"), ("/subscriptions", "code"), ("/invoices", "number")):
        whole = [each[named] for each in shop.ok("GET", f"{path}?limit=200")["data"]]
        first = shop.ok("GET", f"{path}?limit=2")
        if path == "/profiles":
            shop.ok("POST", path, anna() | {"account_id": "0-before-all"})
        rest = shop.ok("GET", f"{path}?limit=200&after={first['next']}")
        assert rest["next"] is None
        assert [each[named] for each in first["data"] + rest["data"]] == whole, path
    assert shop.refused("GET", "/invoices?after=nonsense") == (422, "not_a_cursor")
    newest = shop.ok("GET", "/invoices?status=open")["data"][0]
    assert shop.ok("GET", f"/invoices?profile_id={newest['profile_id']}")["data"] == [newest]
