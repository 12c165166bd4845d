"""Looks at what is personal: by role, with a reason, on record."""

from __future__ import annotations

from sqlalchemy import text

from billing.flows import indexing
from billing.models import AuditRecord
from billing.rules.permission import Role
from tests.views.console.conftest import House, Person
from tests.views.console.ordered import paid
from tests.views.console.test_today_and_work import trail


def test_each_look_at_what_is_personal_is_by_role_with_a_reason_and_recorded(house: House, fay: Person) -> None:
    invoice_id = paid(house)
    profile_id = house.acme.invoices()[0].profile_id
    vera = house.person("vera", Role.VIEWER)
    looks = (f"/customers/{profile_id}/look", f"/invoices/{invoice_id}/look")
    for path in looks:
        assert vera.post(path, reason="curious").status_code == 403
        assert "What is personal" not in vera.reads(path.removesuffix("/look"))
        assert fay.post(path, reason="").status_code == 409
    assert trail(house, "fay") == []
    for path in looks:
        page = fay.post(path, reason="a question of theirs").text
        assert "Person one" in page
        assert "Street 1" in page
    assert "one@example.com" in fay.post(looks[0], reason="a question of theirs").text
    assert [action for action, _ in trail(house, "fay")] == [
        "profile.personal.view", "invoice.parties.view", "profile.personal.view",
    ]  # fmt: skip
    with house.acme.begin() as session:
        every = " ".join(str(row.after) + str(row.before) for row in session.query(AuditRecord))
    assert "Person one" not in every


def test_a_customer_is_found_by_exact_email_also_one_from_before_the_index(house: House, fay: Person) -> None:
    first, second = house.acme.customer("one", method=None), house.acme.customer("two", method=None)
    with house.acme.parts.begin() as session:
        (kept,) = session.execute(text("SELECT email_index FROM billing.profile WHERE account_id = 'one'")).scalars()
        session.execute(text("UPDATE billing.profile SET email_index = NULL WHERE account_id = 'one'"))
    assert b"one@" not in kept
    asked = {"email": " ONE@Example.com ", "reason": "they telephone"}
    assert "No customer has that address" in fay.post("/customers/find", **asked).text
    assert indexing.index_emails(house.acme.parts) == 1
    assert indexing.index_emails(house.acme.parts) == 0
    answer = fay.post("/customers/find", **asked)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/console/customers/{first}")
    for other in ("one@example.co", "two@example", ""):
        assert "No customer has that address" in fay.post("/customers/find", **asked | {"email": other}).text
    assert fay.post("/customers/find", **asked | {"email": "two@example.com"}).headers["Location"].endswith(str(second))
    assert trail(house, "fay") == [("profile.find", "they telephone")] * 2
    assert house.person("vera", Role.VIEWER).post("/customers/find", **asked).status_code == 403
