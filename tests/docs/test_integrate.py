"""The requests of the page for HTTP are sent as they stand there, in their order, to the first paid invoice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from tests.api.program import Program, application, key_of
from tests.flows.company import Company, company

PAGE = Path(__file__).parents[2] / "docs" / "integrate" / "by-http.md"
BLOCK = re.compile(r"```http\n(\w+) (\S+)(?: -> (\w+))?\n(.*?)```", re.DOTALL)


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, patience_s=30) as made:
        yield made


def test_the_page_leads_to_a_paid_invoice(acme: Company) -> None:
    shop = Program(application(acme.parts), key_of(acme))
    named: dict[str, str] = {}
    listed = []
    for method, path, name, body in BLOCK.findall(PAGE.read_text()):
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
