"""What the audit finds is accepted by a program, listed, and revoked; a seller sees its own alone."""

from __future__ import annotations

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
