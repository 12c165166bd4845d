"""What programs do with the API, from a new customer to the paid invoice."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from billing.flows import braking
from billing.flows.order import Order
from billing.queries.brakes import BrakeKind
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
    assert acme.violations() == ()


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
    for token in ("x", "x.é", f"{seen['token'].partition('.')[0]}.é"):
        assert shop.refused("POST", "/previews/apply", {"token": token}) == (422, "token_invalid")


def test_what_a_state_stands_against_is_a_conflict_and_no_fault_of_the_request(shop: Program) -> None:
    customer = anna()
    profile = shop.ok("POST", "/profiles", customer)
    subscription = shop.ok("POST", "/subscriptions", basic(customer))
    (invoice,) = shop.ok("GET", f"/invoices?profile_id={profile['id']}")["data"]
    path, why = f"/subscriptions/{subscription['id']}", {"reason": "asked for"}
    assert shop.refused("POST", f"{path}/uncancel", {}) == (409, "not_canceling")
    assert shop.refused("POST", f"{path}/resume", {}) == (409, "not_paused")
    shop.ok("POST", f"{path}/pause", {})
    assert shop.refused("POST", f"{path}/pause", {}) == (409, "already_paused")
    line = why | {"description": "Set-up", "amount_minor": 500}
    assert shop.refused("POST", f"/invoices/{invoice['id']}/add-line", line) == (409, "invoice_not_draft")
    too_much = why | {"amount_minor": invoice["amount_remaining_minor"] + 1}
    assert shop.refused("POST", f"/invoices/{invoice['id']}/credit", too_much) == (409, "credit_exceeds_invoice")
    rate = {"name": "standard", "percent": "19", "inclusive": True}
    assert shop.refused("POST", "/tax-rates", rate) == (409, "tax_included_fixed")


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


def _recorded(written: int, *, repeated: int = 0, differing: Any = ()) -> dict[str, Any]:
    return {"written": written, "repeated": repeated, "late": 0, "differing": list(differing)}


def test_what_is_sold_is_set_up_and_used(acme: Company, shop: Program) -> None:
    code = f"p-{uuid4()}"
    shop.ok("POST", "/products", {"code": code, "name": "Calls"})
    price = {
        "code": code, "product": code, "currency": "eur", "interval": "month", "usage": "sum", "model": "graduated",
        "tiers": [{"up_to": "1000", "unit": "0"}, {"up_to": None, "unit": "0.25", "flat": "100"}],
    }  # fmt: skip
    made = shop.ok("POST", "/prices", price)
    assert made["tiers"][1] == {"up_to": None, "unit": "0.25", "flat": "100"}
    assert shop.ok("GET", f"/prices/{made['id']}") == made
    assert shop.refused("POST", "/prices", price) == (409, "price_code_taken")
    assert shop.refused("POST", "/prices", price | {"tiers": [{"up_to": None, "unit": 0.25}]}) == (422, "not_valid")
    shop.ok("POST", "/coupons", {"code": code, "percent": "12.5"})
    customer = anna()
    shop.ok("POST", "/profiles", customer)
    subscribe = basic(customer) | {"items": [{"price": code}], "coupon": code}
    assert shop.ok("POST", "/subscriptions", subscribe)["coupon"] == code
    records = [{"subscription": subscribe["code"], "price": code, "id": str(n), "quantity": "0.5"} for n in range(300)]
    assert shop.ok("POST", "/usage", {"records": records}) == _recorded(300)
    assert shop.ok("POST", "/usage", {"records": records[:2]}) == _recorded(0, repeated=2)
    named = {"subscription": subscribe["code"], "id": "0"}
    again = {"records": [records[1], records[0] | {"quantity": "7"}, records[0] | {"quantity": "8"}]}
    assert shop.ok("POST", "/usage", again) == _recorded(0, repeated=3, differing=[named]), "and once in a call"
    refused = shop.ask("POST", "/usage", {"records": [records[0] | {"price": "none", "id": "x"}]})
    assert [each["field"] for each in refused.json["faults"]] == ["records.1.price"]


def test_money_is_corrected_given_back_and_granted(acme: Company, shop: Program) -> None:
    customer, why = anna(), {"reason": "asked for"}
    profile = shop.ok("POST", "/profiles", customer)["id"]
    granted = shop.ok("POST", f"/profiles/{profile}/credit", why | {"amount_minor": 190, "currency": "eur"})
    assert granted == {"data": [{"currency": "eur", "amount_minor": 190, "carried_forward_minor": 0}]}
    assert acme.account("promotional_credit") == 190
    paid = why | {"amount_minor": 10, "currency": "eur", "prepaid": True}
    assert shop.ok("POST", f"/profiles/{profile}/credit", paid)["data"][0]["amount_minor"] == 200
    assert acme.account("external_money") == 10
    acme.give_method(UUID(profile), "pm_card_visa")
    invoice = shop.ok("POST", "/subscriptions", basic(customer))["latest_invoice"]["id"]
    acme.settle()
    back = shop.ok("POST", f"/invoices/{invoice}/refund", why | {"amount_minor": 500}, Idempotency_Key=f"r-{invoice}")
    again = shop.ok("POST", f"/invoices/{invoice}/refund", why | {"amount_minor": 500}, Idempotency_Key=f"r-{invoice}")
    assert back == again
    assert [each["amount_minor"] for each in back["refunds"]] == [500]
    acme.settle()
    assert shop.ok("GET", f"/refunds/{back['refunds'][0]['id']}")["status"] == "succeeded"
    assert len(shop.ok("GET", f"/refunds?invoice_id={invoice}")["data"]) == 1
    (note,) = shop.ok("GET", f"/credit-notes?profile_id={profile}")["data"]
    assert (note["corrects_id"], note["total_minor"]) == (invoice, 500)
    charge = why | {"amount_minor": 1000, "currency": "eur", "description": "A visit"}
    owed = shop.ok("POST", f"/profiles/{profile}/charge", charge)
    assert owed["total_minor"] == 1190
    assert (
        shop.ok("POST", f"/invoices/{owed['id']}/credit", why | {"amount_minor": 90})["amount_remaining_minor"] == 1100
    )
    paid = shop.ok("POST", f"/invoices/{owed['id']}/mark-paid", why | {"amount_minor": 100, "reference": "till 3"})
    assert paid["amount_remaining_minor"] == 1000
    by_credit = f"/invoices/{owed['id']}/apply-credit"
    assert shop.refused("POST", by_credit, why | {"amount_minor": 1001}) == (409, "credit_exceeded")
    shop.ok("POST", f"/profiles/{profile}/credit", why | {"amount_minor": 200, "currency": "eur"})
    stale = str(paid["version"] - 1)
    assert shop.refused("POST", by_credit, why, If_Match=stale) == (412, "stale")
    assert shop.ok("POST", by_credit, why)["amount_remaining_minor"] == 800
    assert shop.ok("GET", f"/profiles/{profile}/credit")["data"] == [
        {"currency": "eur", "amount_minor": 0, "carried_forward_minor": 0}
    ]
    assert shop.refused("POST", f"/invoices/{owed['id']}/void", why) == (409, "invoice_partly_settled")
    assert shop.ok("POST", f"/invoices/{owed['id']}/write-off", why)["status"] == "uncollectible"
    other = shop.ok("POST", f"/profiles/{profile}/charge", charge)
    assert shop.ok("POST", f"/invoices/{other['id']}/void", why, If_Match=str(other["version"]))["status"] == "void"
    pdf = shop.ask("GET", f"/invoices/{invoice}/pdf?language=de")
    assert (pdf.status_code, pdf.mimetype, pdf.data[:5]) == (200, "application/pdf", b"%PDF-")
    assert acme.violations() == ()


def test_a_payment_method_is_begun_by_the_request_itself(acme: Company, shop: Program) -> None:
    profile = shop.ok("POST", "/profiles", anna())["id"]
    begin = {"profile_id": profile, "consent_text_version": "v1", "consent_at": "2026-01-30T10:00:00Z"}
    begun = shop.ok("POST", "/payment-methods", begin, Idempotency_Key=f"m-{profile}")
    assert begun["client_secret"].startswith(begun["setup_ref"])
    assert shop.ok("POST", "/payment-methods", begin, Idempotency_Key=f"m-{profile}") == begun
    path = f"/payment-methods/{begun['id']}"
    assert shop.refused("POST", f"{path}/complete") == (409, "setup_not_complete")
    assert shop.ok("GET", path)["status"] == "pending"
    acme.give_method(UUID(profile), "pm_card_visa")
    acme.give_method(UUID(profile), "pm_card_mastercard")
    listed = shop.ok("GET", f"/payment-methods?profile_id={profile}")["data"]
    spare = next(each for each in listed if each["status"] == "active" and not each["is_default"])
    assert shop.ok("POST", f"/payment-methods/{spare['id']}/make-default")["is_default"]
    assert shop.ok("DELETE", f"/payment-methods/{spare['id']}")["status"] == "detached"


def test_events_endpoints_and_work_items_are_in_a_programs_hands(acme: Company, shop: Program) -> None:
    why = {"reason": "the shop moves"}
    shop.ok("POST", "/profiles", anna())
    newest = shop.ok("GET", "/events?limit=1")["data"][0]
    assert newest["topic"] == "profile.created"
    assert shop.ok("GET", f"/events/{newest['id']}") == newest
    add = why | {"code": "shop", "target": "https://shop.example.com/billing", "topics": ["invoice.*"]}
    made = shop.ok("POST", "/endpoints", add, Idempotency_Key="e")
    assert made["secret"].startswith("whsec_")
    assert shop.ok("POST", "/endpoints", add, Idempotency_Key="e") == made
    path = f"/endpoints/{made['endpoint']['id']}"
    assert shop.ok("POST", f"{path}/rotate", why)["secret"] != made["secret"]
    assert shop.ok("POST", f"{path}/off", why)["status"] == "off"
    assert shop.ok("POST", f"{path}/on", why)["status"] == "on"
    assert shop.ok("POST", f"{path}/replay", why | {"since": "2026-01-01T00:00Z", "until": "2026-03-01T00:00Z"})
    ada = Order(actor="ada", reason="a test")
    braking.stop(acme.parts, BrakeKind.ISSUE, seller_id=acme.seller_id, order=ada)
    (item,) = shop.ok("GET", "/work-items")["data"]
    assert item["kind"] == "issuing_stopped"
    assert shop.refused("POST", f"/work-items/{item['id']}/act", why | {"action": "adopt"}) == (409, "action_not_safe")
    braking.start(acme.parts, BrakeKind.ISSUE, seller_id=acme.seller_id, order=ada)
    assert shop.ok("GET", f"/work-items/{item['id']}")["status"] == "resolved"


def test_a_brake_on_everything_holds_a_program_too(acme: Company, shop: Program) -> None:
    profile = shop.ok("POST", "/profiles", anna())["id"]
    ada = Order(actor="ada", reason="a test")
    braking.stop(acme.parts, BrakeKind.ISSUE, order=ada)
    charge = {"reason": "a visit", "amount_minor": 1000, "currency": "eur", "description": "A visit"}
    assert shop.refused("POST", f"/profiles/{profile}/charge", charge) == (409, "issuing_stopped")
    braking.start(acme.parts, BrakeKind.ISSUE, order=ada)
    assert shop.ok("POST", f"/profiles/{profile}/charge", charge)["total_minor"] == 1190


def test_a_document_is_found_by_its_number(acme: Company, shop: Program) -> None:
    customer = anna()
    shop.ok("POST", "/profiles", customer)
    made = shop.ok("POST", "/subscriptions", basic(customer))["latest_invoice"]
    (found,) = shop.ok("GET", f"/invoices?number={made['number']}")["data"]
    assert found["id"] == made["id"]
    shop.ok("POST", f"/invoices/{made['id']}/credit", {"reason": "asked for", "amount_minor": 100})
    number = shop.ok("GET", "/credit-notes?limit=1")["data"][0]["number"]
    (found,) = shop.ok("GET", f"/credit-notes?number={number}")["data"]
    assert found["corrects_id"] == made["id"]
    owed = shop.ok("GET", f"/invoices/{made['id']}")
    charge = {"reason": "order 4711", "amount_minor": 1000, "currency": "eur", "description": "A visit"}
    wrong = shop.ok("POST", f"/profiles/{owed['profile_id']}/charge", charge)
    shop.ok("POST", f"/invoices/{wrong['id']}/void", {"reason": "ordered twice"})
    (voided, note) = shop.ok("GET", "/credit-notes?limit=2")["data"]
    assert (voided["kind"], voided["corrects_id"], note["number"]) == ("cancellation", wrong["id"], number)
    assert shop.ok("GET", f"/credit-notes?number={voided['number']}")["data"] == [voided]
    for none in ("OTHER-000001", "ACME-999999", "x", made["number"].lower()):
        assert shop.ok("GET", f"/invoices?number={none}")["data"] == [], none


def test_a_subscription_is_found_by_the_hosts_own_code(acme: Company, shop: Program) -> None:
    made = []
    for customer in (anna(), anna()):
        shop.ok("POST", "/profiles", customer)
        made.append(shop.ok("POST", "/subscriptions", basic(customer)))
    one, other = made
    for path in (
        f"/subscriptions?code={one['code']}",
        f"/subscriptions?code={one['code']}&profile_id={one['profile_id']}",
    ):
        assert [each["id"] for each in shop.ok("GET", path)["data"]] == [one["id"]]
    assert shop.ok("GET", f"/subscriptions?code={one['code']}&profile_id={other['profile_id']}")["data"] == []
    assert shop.ok("GET", "/subscriptions?code=none")["data"] == []
    assert shop.refused("GET", "/subscriptions?code=no+code") == (422, "not_valid")


def test_attempts_are_listed_newest_first_by_what_is_asked_for(acme: Company, shop: Program) -> None:
    paid, declined = anna(), anna()
    profiles = [shop.ok("POST", "/profiles", each)["id"] for each in (paid, declined)]
    for profile, method in zip(profiles, ("pm_card_visa", "pm_card_chargeCustomerFail"), strict=True):
        acme.give_method(UUID(profile), method)
    invoices = [shop.ok("POST", "/subscriptions", basic(each))["latest_invoice"]["id"] for each in (paid, declined)]
    acme.settle()

    def listed(query: str) -> list[tuple[str, str]]:
        return [(each["profile_id"], each["status"]) for each in shop.ok("GET", f"/payments?{query}")["data"]]

    good, bad = [(profiles[0], "succeeded")], [(profiles[1], "declined")]
    assert listed(f"profile_id={profiles[0]}") == listed(f"invoice_id={invoices[0]}") == good
    assert listed(f"account_id={declined['account_id']}") == listed(f"invoice_id={invoices[1]}&status=declined") == bad
    assert listed("account_id=nobody") == listed(f"profile_id={profiles[1]}&status=unknown") == []
    ids = [each["id"] for each in shop.ok("GET", "/payments?limit=200")["data"]]
    assert ids == sorted(ids, reverse=True)
    first = shop.ok("GET", "/payments?limit=1")
    assert [each["id"] for each in first["data"]] == ids[:1]
    assert shop.ok("GET", f"/payments?limit=1&after={first['next']}")["data"][0]["id"] == ids[1]
    with acme.parts.begin() as session:
        lost = "UPDATE billing.payment SET status = 'unknown', closed_at = NULL WHERE id = :id"
        session.execute(text(lost), {"id": ids[0]})
    assert [each["id"] for each in shop.ok("GET", "/payments?status=unknown")["data"]] == ids[:1], "a stuck one"
    assert shop.ok("GET", f"/payments/{ids[0]}")["status"] == "unknown"
    with acme.parts.begin() as session:
        # The company is shared: nobody else is to wait for it.
        found = "UPDATE billing.payment SET status = 'declined', closed_at = opened_at WHERE id = :id"
        session.execute(text(found), {"id": ids[0]})
    assert shop.refused("GET", "/payments?status=stuck") == (422, "not_valid")
