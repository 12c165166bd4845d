"""What the audit finds is accepted by a program, listed, and revoked; a seller sees its own alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.flows import auditing
from billing.kernel.ids import new_id
from tests.api.program import Program, application, key_of
from tests.flows.company import Company
from tests.flows.found import add_to, audited, finding, untrue_invoice

WHY = {"reason": "lost with the database of 3 March"}


def test_a_finding_is_accepted_listed_and_revoked(acme: Company, shop: Program) -> None:
    invoice_id = untrue_invoice(acme, account="accepted-1")
    assert audited(acme).broken
    path = f"/work-items/{finding(acme).id}"
    item = shop.ok("GET", path)
    assert {each["code"] for each in item["findings"]} == {"L4"}
    (listed,) = [each for each in shop.ok("GET", "/work-items")["data"] if each["id"] == item["id"]]
    assert listed == {name: value for name, value in item.items() if not name.startswith("findings")}
    reader = Program(application(acme.parts), key_of(acme, scopes=("read",)))
    assert reader.refused("POST", f"{path}/act", WHY | {"action": "accept"}) == (403, "scope_missing")
    stale = str(item["version"] + 1)
    accept = WHY | {"action": "accept", "findings_digest": item["findings_digest"]}
    assert shop.refused("POST", f"{path}/act", accept, If_Match=stale) == (412, "stale")
    assert shop.refused("POST", f"{path}/act", WHY | {"action": "accept"})[1] == "findings_digest_missing"
    assert shop.refused("POST", f"{path}/act", accept | {"findings_digest": "0" * 64}) == (412, "stale")
    audited(acme)
    assert shop.ok("POST", f"{path}/act", accept)["status"] == "resolved", "the audit said the same again"
    assert not audited(acme).broken

    held = shop.ok("GET", "/acceptances?state=in_force")["data"]
    assert {(each["code"], each["subject_id"], each["reason"]) for each in held} == {
        ("L4", str(invoice_id), WHY["reason"])
    }
    for each in held:
        one = f"/acceptances/{each['id']}"
        assert shop.ok("GET", one) == each
        assert reader.refused("POST", f"{one}/revoke", WHY) == (403, "scope_missing")
        assert shop.refused("POST", f"{one}/revoke", WHY, If_Match="9") == (412, "stale")
        assert shop.ok("POST", f"{one}/revoke", WHY)["state"] == "revoked"
    assert shop.ok("GET", "/acceptances?state=in_force")["data"] == []
    assert audited(acme).broken
    assert shop.refused("GET", f"/acceptances/{invoice_id}")[0] == 404


def test_what_is_about_a_row_of_the_books_or_a_charge_is_its_sellers_too(acme: Company, shop: Program) -> None:
    acme.customer("accepted-3")
    acme.subscribe("accepted-3", "accepted-3-basic")
    acme.settle()
    with _past_the_engine(acme) as session:
        last = "SELECT id, charge_ref FROM billing.ledger_entry WHERE kind = 'payment' ORDER BY id DESC LIMIT 1"
        entry_id, charge_ref = session.execute(text(last)).one()
        session.execute(text(_NAMES), {"id": entry_id, "ref": "ch_nobody"})
        held = "INSERT INTO billing.unapplied_payment (id, seller_id, provider_account_id, charge_ref, amount_minor,"
        values = " currency, status) SELECT :id, :seller, id, 'ch_apart', 100, 'eur', 'held' FROM"
        ours = {"id": new_id(), "seller": acme.seller_id}
        session.execute(text(f"{held}{values} billing.provider_account LIMIT 1"), ours)
    audited(acme)
    items = [each for each in shop.ok("GET", "/work-items")["data"] if each["kind"] == auditing.FINDING]
    items = [each for each in items if each["subject_type"] in ("ledger_entry", "charge")]
    assert sorted(each["subject_type"] for each in items) == ["charge", "charge", "ledger_entry"]
    for each in items:
        seen = shop.ok("GET", f"/work-items/{each['id']}")["findings_digest"]
        shop.ok("POST", f"/work-items/{each['id']}/act", WHY | {"action": "accept", "findings_digest": seen})
    about = {each["subject_id"] for each in shop.ok("GET", "/acceptances")["data"]}
    assert about >= {str(entry_id), "ch_apart"}
    with _past_the_engine(acme) as session:
        session.execute(text(_NAMES), {"id": entry_id, "ref": charge_ref})
        session.execute(text("DELETE FROM billing.unapplied_payment WHERE charge_ref = 'ch_apart'"))
    audited(acme)


_NAMES = "UPDATE billing.ledger_entry SET charge_ref = :ref WHERE id = :id"


@contextmanager
def _past_the_engine(acme: Company) -> Iterator[Session]:
    """As nothing but a hand in the tables writes."""
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        yield session


def test_what_no_audit_finds_is_refused_with_its_field(acme: Company, shop: Program) -> None:
    invoice_id = untrue_invoice(acme, account="accepted-2")
    audited(acme)
    item = finding(acme).id
    add_to(acme, invoice_id, 1)
    audited(acme)
    seen = shop.ok("GET", f"/work-items/{item}")["findings_digest"]
    answer = shop.ask("POST", f"/work-items/{item}/act", WHY | {"action": "accept", "findings_digest": seen})
    assert answer.status_code == 409
    assert answer.json is not None
    assert (answer.json["field"], answer.json["code"]) == ("finding", "finding_not_standing")
    assert "billing audit" in answer.json["mend"]
