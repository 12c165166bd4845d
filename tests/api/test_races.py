"""Of two requests under one key the second gets the answer of the first, also where that was given a moment ago."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from billing.flows.once import Answer, Once
from tests.api.program import Program, anna, basic
from tests.flows.company import Company


@pytest.fixture
def open_invoice(shop: Program) -> dict[str, Any]:
    """An invoice of 11.90 that nobody has tried yet."""
    customer = anna()
    shop.ok("POST", "/profiles", customer)
    made = shop.ok("POST", "/subscriptions", basic(customer))
    (invoice,) = shop.ok("GET", f"/invoices?subscription_id={made['id']}")["data"]
    assert invoice["status"] == "open"
    return dict(invoice)


@pytest.mark.parametrize(
    ("verb", "body"), [("credit", {"amount_minor": 500, "reason": "late"}), ("void", {"reason": "late"})]
)
@pytest.mark.parametrize("seen", [True, False])
def test_who_asks_while_the_first_is_being_carried_out_gets_its_answer(
    acme: Company,
    shop: Program,
    open_invoice: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    verb: str,
    body: dict[str, Any],
    seen: bool,
) -> None:
    """The first begins and ends after the second has looked whether it was answered, and before it does anything."""
    headers = {"Idempotency_Key": str(uuid4())} | ({"If_Match": str(open_invoice["version"])} if seen else {})
    path = f"/invoices/{open_invoice['id']}/{verb}"
    first: list[TestResponse] = []
    before = Once.before

    def overtaken(self: Once, session: Session) -> Answer | None:
        found = before(self, session)
        monkeypatch.setattr(Once, "before", before)
        first.append(Program(shop.client.application, shop.token).ask("POST", path, body, **headers))
        return found

    monkeypatch.setattr(Once, "before", overtaken)
    second = shop.ask("POST", path, body, **headers)
    assert (first[0].status_code, second.status_code, second.data) == (200, 200, first[0].data)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len([each for each in acme.invoices() if str(each.corrects_id) == open_invoice["id"]]) == 1
