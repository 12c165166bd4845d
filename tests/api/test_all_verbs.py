"""What the command line can do to one seller's things, a program can do: drafts, disputes, books, brakes, persons."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from billing.models import AuditRecord
from tests.api.program import Program, anna, application, basic, key_of
from tests.flows.company import Company

WHY = {"reason": "asked for"}


def _customer(acme: Company, shop: Program, method: str | None = None) -> tuple[str, dict[str, object]]:
    customer = anna() | {"address": {"line1": "Musterweg 1", "city": "Berlin", "postal_code": "10115"}}
    profile = shop.ok("POST", "/profiles", customer)["id"]
    if method:
        acme.give_method(UUID(profile), method)
    return profile, customer


def test_what_is_personal_is_opened_by_a_scope_of_its_own_and_every_look_is_noted(acme: Company, shop: Program) -> None:
    profile, customer = _customer(acme, shop)
    invoice = shop.ok("POST", "/subscriptions", basic(customer))["latest_invoice"]["id"]
    reader = Program(application(acme.parts), key_of(acme, scopes=("read", "write", "money", "operate", "books")))
    for path in ("profiles/{}/personal", "profiles/{}/export"):
        assert reader.refused("GET", f"/{path.format(profile)}") == (403, "scope_missing")
    for path in ("pdf", "html", "parties"):
        assert reader.refused("GET", f"/invoices/{invoice}/{path}") == (403, "scope_missing")
    assert reader.refused("POST", f"/invoices/{invoice}/document-link") == (403, "scope_missing")
    assert customer["name"] not in reader.ask("GET", f"/invoices/{invoice}/explanation").text

    seen = shop.ok("GET", f"/profiles/{profile}/personal?reason=a+letter+came+back")
    assert (seen["name"], seen["address"]["city"]) == (customer["name"], "Berlin")
    assert shop.ok("GET", f"/invoices/{invoice}/parties")["buyer"]["name"] == customer["name"]
    page = shop.ask("GET", f"/invoices/{invoice}/html?language=fr")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "script" not in page.headers["Content-Security-Policy"]
    assert str(customer["name"]) in page.text
    assert shop.ok("GET", f"/profiles/{profile}/export")["data"]["personal"]["email"] == customer["email"]
    with acme.parts.begin() as session:
        noted = text("SELECT action, reason FROM billing.audit_trail WHERE subject_id IN (:profile, :invoice)")
        looks = {row.action: row.reason for row in session.execute(noted, {"profile": profile, "invoice": invoice})}
    assert looks["profile.personal.view"] == "a letter came back"
    assert {"profile.export", "invoice.print", "invoice.parties.view"} <= looks.keys()


def test_an_endpoint_gets_links_to_documents_by_a_key_that_may_open_them(acme: Company, shop: Program) -> None:
    def added(by: Program, **given: object) -> bool:
        new = WHY | {"code": f"e-{uuid4()}", "target": "https://shop.example.com/hook"} | given
        endpoint = by.ok("POST", "/endpoints", new)["endpoint"]
        assert shop.ok("GET", f"/endpoints/{endpoint['id']}") == endpoint
        return bool(endpoint["document_links"])

    operator = Program(application(acme.parts), key_of(acme, scopes=("operate", "read")))
    assert (added(shop), added(shop, document_links=True), added(shop, document_links=False)) == (True, True, False)
    assert (added(operator), added(operator, document_links=False)) == (False, False)
    asked = WHY | {"code": "asked", "target": "https://shop.example.com/hook", "document_links": True}
    assert operator.refused("POST", "/endpoints", asked) == (403, "scope_missing")


def test_a_cancel_that_sends_money_back_needs_the_scope_for_money(acme: Company, shop: Program) -> None:
    _, customer = _customer(acme, shop, "pm_card_visa")
    subscription = shop.ok("POST", "/subscriptions", basic(customer))["id"]
    acme.settle()
    path, refund = f"/subscriptions/{subscription}/cancel", {"when": "now", "unused": "refund"}
    writer = Program(application(acme.parts), key_of(acme, scopes=("read", "write")))
    assert writer.refused("POST", path, refund) == (403, "scope_missing")
    assert writer.ok("GET", f"/subscriptions/{subscription}")["status"] == "active"
    money = Program(application(acme.parts), key_of(acme, scopes=("read", "write", "money")))
    later = {"when": "period_end", "unused": "refund"}
    assert money.refused("POST", path, later) == (422, "nothing_unused")
    assert money.refused("POST", path, {"prorate": True}) == (422, "nothing_unused")
    preview = f"/subscriptions/{subscription}/preview-cancel"
    assert money.refused("POST", preview, {"when": "period_end", "prorate": True}) == (422, "nothing_unused")
    assert money.ok("POST", path, refund)["status"] == "canceled"
    acme.settle()
    assert sum(each.amount_minor for each in acme.witness.refunds()) > 0, "it was said where the unused part goes"


def test_links_are_made_and_revoked(acme: Company, shop: Program) -> None:
    profile, customer = _customer(acme, shop)
    invoice = shop.ok("POST", "/subscriptions", basic(customer))["latest_invoice"]["id"]
    pay = shop.ok("POST", f"/invoices/{invoice}/pay-link")["url"]
    page = shop.ok("POST", f"/profiles/{profile}/link")["url"]
    document = shop.ok("POST", f"/invoices/{invoice}/document-link")["url"]
    assert len({pay, page, document}) == 3
    opened = acme.parts.settings.billing_public_url or ""
    assert all(each.startswith(opened) for each in (pay, page, document))
    assert shop.ok("POST", f"/profiles/{profile}/revoke-links", WHY)["id"] == profile


def test_a_draft_is_edited_and_issued(acme: Company, shop: Program) -> None:
    profile, customer = _customer(acme, shop)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET draft_review_h = 24 WHERE id = :id"), {"id": acme.seller_id})
    try:
        shop.ok("POST", "/subscriptions", basic(customer))
    finally:
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.seller SET draft_review_h = 0 WHERE id = :id"), {"id": acme.seller_id})
    (draft,) = shop.ok("GET", f"/invoices?profile_id={profile}")["data"]
    path = f"/invoices/{draft['id']}"
    assert (draft["status"], draft["number"]) == ("draft", None)
    longer = shop.ok("POST", f"{path}/add-line", WHY | {"description": "Set-up", "amount_minor": 500})
    assert longer["total_minor"] == draft["total_minor"] + 595
    gone = {"position": longer["lines"][-1]["position"]}
    assert shop.refused("POST", f"{path}/remove-line", WHY | gone, If_Match=str(draft["version"])) == (412, "stale")
    assert shop.ok("POST", f"{path}/remove-line", WHY | gone)["total_minor"] == draft["total_minor"]
    issued = shop.ok("POST", f"{path}/release", WHY)
    assert (issued["status"], bool(issued["number"])) == ("open", True)


def test_a_document_is_replaced_and_credit_is_paid_out(acme: Company, shop: Program) -> None:
    profile, customer = _customer(acme, shop, "pm_card_visa")
    invoice = shop.ok("POST", "/subscriptions", basic(customer))["latest_invoice"]["id"]
    acme.settle()
    shop.ok("PUT", f"/profiles/{profile}", {"name": "Anna Muster", "country": "DE"})
    made = shop.ok("POST", f"/invoices/{invoice}/replace", WHY)
    assert [made[name]["corrects_id"] for name in ("credit_note", "replaced_by")] == [invoice, invoice]
    assert (made["invoice"]["status"], made["replaced_by"]["status"]) == ("replaced", "paid")
    new = made["replaced_by"]["id"]
    assert shop.ok("GET", f"/invoices/{new}/parties")["buyer"]["name"] == "Anna Muster"
    beyond = shop.ask("POST", f"/invoices/{new}/credit", WHY | {"amount_minor": 10**6}).json
    assert (beyond["code"], beyond["field"]) == ("credit_exceeds_invoice", "amount_minor"), "as the request calls it"
    shop.ok("POST", f"/invoices/{new}/credit", WHY | {"amount_minor": 300})
    assert shop.ok("GET", f"/profiles/{profile}/credit")["data"][0]["amount_minor"] == 300
    back = shop.ok("POST", f"/profiles/{profile}/pay-out", WHY | {"currency": "eur"})
    assert [each["amount_minor"] for each in back["data"]] in ([], [0])
    acme.settle()
    assert acme.violations() == ()


def _charged_back(shop: Program, invoice: str) -> list[tuple[str, int]]:
    """State and what is charged back, by the invoice, the list and its subscription."""
    one = shop.ok("GET", f"/invoices/{invoice}")
    (listed,) = shop.ok("GET", f"/invoices?profile_id={one['profile_id']}")["data"]
    latest = shop.ok("GET", f"/subscriptions/{one['subscription_id']}")["latest_invoice"]
    return [(each["status"], each["amount_charged_back_minor"]) for each in (one, listed, latest)]


def test_a_lost_dispute_is_decided_on(acme: Company, shop: Program) -> None:
    profile, customer = _customer(acme, shop, "pm_card_visa")
    invoice = shop.ok("POST", "/subscriptions", basic(customer))["latest_invoice"]["id"]
    acme.settle()
    attempt = shop.ok("GET", f"/invoices/{invoice}")["attempts"][0]["id"]
    assert shop.ok("GET", f"/payments/{attempt}")["last4"] == "4242"
    assert shop.ok("POST", f"/payments/{attempt}/resolve", WHY)["status"] == "succeeded"
    with acme.parts.begin() as session:
        charge = session.scalar(text("SELECT charge_ref FROM billing.payment WHERE id = :id"), {"id": attempt})
    opened = acme.witness.call("POST", "disputes", {"charge": charge})
    acme.settle()
    acme.witness.call("POST", f"disputes/{opened['id']}/close", {"status": "lost"})
    acme.settle()
    (dispute,) = shop.ok("GET", f"/disputes?invoice_id={invoice}")["data"]
    assert (dispute["status"], dispute["reopened_minor"]) == ("lost", 1190)
    assert _charged_back(shop, invoice) == [("paid", 1190)] * 3, "owed again, as the report of what is owed says"
    path = f"/disputes/{dispute['id']}"
    stale = str(dispute["version"] + 1)
    assert shop.refused("POST", f"{path}/credit", WHY, If_Match=stale) == (412, "stale")
    assert shop.ok("POST", f"{path}/write-off", WHY)["decision"] == "write_off"
    assert _charged_back(shop, invoice) == [("paid", 0)] * 3, "decided on: nothing is owed"
    assert shop.refused("POST", f"{path}/credit", WHY) == (409, "dispute_decided")
    # The customer pays by bank all the same, and once more: what was given up is paid, and the rest is credit.
    mark_paid, came = f"/invoices/{invoice}/mark-paid", WHY | {"amount_minor": 1290, "reference": "statement 9"}
    assert shop.ok("POST", mark_paid, came)["status"] == "paid"
    decided = shop.ok("GET", path)
    assert (decided["repaid_minor"], decided["given_up_minor"], decided["decision"]) == (1190, 0, "write_off")
    assert shop.refused("POST", mark_paid, came) == (409, "reference_taken")
    assert shop.refused("POST", mark_paid, WHY) == (409, "invoice_not_open")
    assert shop.refused("POST", mark_paid, WHY | {"amount_minor": 1}) == (422, "reference_missing")
    assert shop.ok("GET", f"/profiles/{profile}/credit")["data"] == [
        {"currency": "eur", "amount_minor": 100, "carried_forward_minor": 0}
    ]
    told = shop.ok("GET", f"/provider-events?object_ref={dispute['dispute_ref']}")["data"]
    assert shop.ok("POST", f"/provider-events/{told[0]['id']}/replay", WHY)["status"] == "received"
    assert dispute["dispute_ref"] in shop.ok("GET", f"/provider-events/{told[0]['id']}/body")["body"]
    assert shop.refused("GET", "/provider-events") == (422, "one_of_two")
    acme.settle()
    assert shop.ok("GET", "/provider-events?status=dead")["data"] == []
    assert profile == dispute["profile_id"]


def test_a_cohort_is_moved_to_another_price_page_by_page_after_a_dry_run(acme: Company, shop: Program) -> None:
    old, new = f"p-{uuid4()}", f"p-{uuid4()}"
    acme.price(old, 1000)
    acme.price(new, 1500)
    _, customer = _customer(acme, shop)
    made = shop.ok("POST", "/subscriptions", basic(customer) | {"items": [{"price": old}]})
    (price,) = [each["id"] for each in shop.ok("GET", "/prices?limit=200")["data"] if each["code"] == old]
    path = f"/prices/{price}/move"
    tried = shop.ok("POST", path, {"to": new, "dry_run": True})
    assert [(each["before_minor"], each["after_minor"]) for each in tried["data"]] == [(1000, 1500)]
    assert not shop.ok("GET", f"/subscriptions/{made['id']}")["change_scheduled"]
    moved = shop.ok("POST", path, {"to": new}, Idempotency_Key=f"m-{old}")
    assert shop.ok("POST", path, {"to": new}, Idempotency_Key=f"m-{old}") == moved
    assert moved["data"] == tried["data"]
    assert shop.ok("POST", path, {"to": new, "after": moved["next"]}) == {"dry_run": False, "data": [], "next": None}
    assert shop.ok("GET", f"/subscriptions/{made['id']}")["change_scheduled"]
    assert shop.refused("POST", path, {"to": old}) == (422, "same_price")
    shop.ok("POST", f"/subscriptions/{made['id']}/change", {"items": [{"price": new}], "when": "now"})
    assert not shop.ok("GET", f"/subscriptions/{made['id']}")["change_scheduled"]


def test_brakes_endpoints_rates_and_late_usage(acme: Company, shop: Program) -> None:
    profile, _ = _customer(acme, shop)
    stop = WHY | {"kind": "collect", "profile_id": profile}
    (brake,) = shop.ok("POST", "/brakes/stop", stop)["data"]
    assert (brake["profile_id"], brake["wide"]) == (profile, False)
    assert shop.ok("GET", "/brakes")["data"] == [brake]
    assert shop.ok("POST", "/brakes/start", stop)["data"] == []
    assert shop.refused("POST", "/brakes/stop", stop | {"profile_id": str(uuid4())}) == (422, "profile_not_found")
    made = shop.ok("POST", "/endpoints", WHY | {"code": f"e-{uuid4()}", "target": "https://shop.example.com/hook"})
    path = f"/endpoints/{made['endpoint']['id']}"
    told = shop.ask("POST", f"{path}/contact", WHY | {"address": "ops@shop.example.com"})
    assert (told.status_code, "ops@" in told.text) == (200, False)
    assert shop.ok("GET", f"{path}/deliveries")["data"] == []
    rate = {"name": f"r-{uuid4()}", "percent": "19", "countries": {"FR": "20"}}
    put = shop.ok("POST", "/tax-rates", rate)
    assert shop.ok("GET", f"/tax-rates/{put['id']}") == put
    assert shop.ok("POST", "/tax-rates", rate | {"percent": "7.5"})["percent"] == "7.5"


def test_a_rate_that_is_put_again_in_another_spelling_is_the_same(shop: Program) -> None:
    rate = {"name": "spelled", "percent": "7", "countries": {"FR": "5.5"}}
    change = {"starts_on": "2027-01-01", "percent": "8", "countries": {"FR": "6"}}
    put = shop.ok("POST", "/tax-rates", rate | {"changes": [change]})
    other = {"percent": "8.0", "countries": {"FR": "6.00"}}
    again = {"percent": "7.00", "countries": {"FR": "5.50"}, "changes": [change | other]}
    assert shop.ok("POST", "/tax-rates", rate | again) == put


def test_a_rate_that_has_changed_since_is_not_put_over(shop: Program) -> None:
    rate = {"name": "watched", "percent": "7"}
    assert shop.refused("POST", "/tax-rates", rate, If_Match="1") == (412, "stale"), "there is none"
    seen = shop.ok("POST", "/tax-rates", rate)
    changed = shop.ok("POST", "/tax-rates", rate | {"percent": "8"}, If_Match=str(seen["version"]))
    assert shop.refused("POST", "/tax-rates", rate | {"percent": "9"}, If_Match=str(seen["version"])) == (412, "stale")
    assert shop.ok("GET", f"/tax-rates/{seen['id']}") == changed


def test_who_put_a_rate_and_why_stands_in_the_trail(acme: Company, shop: Program) -> None:
    rate = {"name": "told", "percent": "7", "countries": {"FR": "5.5"}}
    put = shop.ok("POST", "/tax-rates", rate)
    for percent in ("8", "8.0"):
        shop.ok("POST", "/tax-rates", rate | {"percent": percent, "reason": "the law of 3 June"})
    with acme.begin() as session:
        trail = select(AuditRecord).where(AuditRecord.subject_id == UUID(put["id"])).order_by(AuditRecord.id)
        first, second = session.scalars(trail)
    assert first.after["countries"] == {"FR": "5.5"}
    assert (second.reason, second.before, second.after) == ("the law of 3 June", {"percent": "7"}, {"percent": "8"})
    assert second.actor == first.actor != ""
    assert shop.ok("GET", "/usage/late")["data"] == []


def test_the_books_are_read_tied_and_closed(acme: Company, shop: Program) -> None:
    _, customer = _customer(acme, shop)
    shop.ok("POST", "/subscriptions", basic(customer))
    for report in ("tax?month=2026-01", "aging?as_of=2026-02-01", "deferred?as_of=2026-02-01", "payouts?month=2026-01"):
        said = shop.ok("GET", f"/reports/{report}")
        assert all(tie["difference_minor"] == 0 for tie in said["ties"]), report
    balance = shop.ok("GET", "/ledger/trial-balance?as_of=2026-02-28")["data"]
    assert [each["difference_minor"] for each in balance] == [0]
    (since,) = shop.ok("GET", "/ledger/trial-balance?since=2026-02-01&as_of=2026-02-28")["data"]
    assert [each["balance_minor"] for each in since["accounts"]] == [
        each["opening_minor"] + each["debit_minor"] - each["credit_minor"] for each in since["accounts"]
    ]
    assert any(each["opening_minor"] for each in since["accounts"])
    wrong = "/ledger/trial-balance?since=2026-03-01&as_of=2026-02-28"
    assert shop.refused("GET", wrong) == (422, "not_valid")
    owed = shop.ok("GET", "/reports/aging?as_of=2026-02-01&by_customer=true")["rows"]
    assert customer["account_id"] in [each["account_id"] for each in owed]
    together = shop.ok("GET", "/reports/aging?as_of=2026-02-01")["rows"]
    assert {each["account_id"] for each in together} == {None}
    assert sum(each["amount_minor"] for each in together) == sum(each["amount_minor"] for each in owed)
    named = shop.ok("POST", "/ledger/accounts", WHY | {"account": "receivable", "code": "1400"})
    assert named == {"account": "receivable", "code": "1400"}
    assert shop.refused("POST", "/ledger/close", WHY | {"month": "2026-01"})[0] in (409, 422)
    assert shop.refused("GET", "/reports/tax?month=2026-13") == (422, "not_valid")


def test_a_person_is_forgotten(acme: Company, shop: Program) -> None:
    profile, _ = _customer(acme, shop, "pm_card_visa")
    gone = shop.ok("POST", f"/profiles/{profile}/erase", WHY, Idempotency_Key=f"g-{profile}")
    assert gone["erased_at"]
    assert shop.ok("POST", f"/profiles/{profile}/erase", WHY, Idempotency_Key=f"g-{profile}") == gone
    assert shop.refused("GET", f"/profiles/{profile}/personal") == (409, "profile_erased")
    assert shop.ok("GET", f"/payment-methods?profile_id={profile}")["data"][0]["status"] == "detached"


@pytest.mark.parametrize("path", ["/profiles/{}/personal", "/invoices/{}/html", "/provider-events/{}/body"])
def test_a_look_at_what_is_not_there_notes_nothing(acme: Company, shop: Program, path: str) -> None:
    nowhere = uuid4()
    assert shop.refused("GET", path.format(nowhere)) == (404, "not_found")
    with acme.parts.begin() as session:
        noted = text("SELECT count(*) FROM billing.audit_trail WHERE subject_id = :id")
        assert session.scalar(noted, {"id": nowhere}) == 0
