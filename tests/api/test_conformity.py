"""Requests made up from the served document find nothing that it doesn't say (Schemathesis)."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.program import Program, anna, basic
from tests.flows.company import Company

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_EXAMPLES = 2
"""Of each operation, each of valid and of broken requests."""


_PARTS = 5


@pytest.mark.parametrize("part", range(_PARTS))
def test_every_operation_answers_as_the_document_says(acme: Company, shop: Program, part: int) -> None:
    customer = anna()
    profile = shop.ok("POST", "/profiles", customer)["id"]
    made = shop.ok("POST", "/subscriptions", basic(customer))
    known = {"profiles": profile, "subscriptions": made["id"], "invoices": made["latest_invoice"]["id"]}
    known |= {noun: shop.ok("GET", f"/{noun}")["data"][0]["id"] for noun in ("prices", "tax-rates", "events")}
    document = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", shop.client.application)
    asked = 0

    def ask(operation: Any, mode: GenerationMode) -> None:
        noun = operation.path.split("/")[1]

        @seed(1)
        @settings(
            max_examples=_EXAMPLES,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case: Any) -> None:
            nonlocal asked
            asked += 1
            if mode is GenerationMode.POSITIVE and noun in known and case.path_parameters:
                case.path_parameters["id"] = known[noun]
            checks = _CHECKS if mode is GenerationMode.POSITIVE else [*_CHECKS, negative_data_rejection]
            case.call_and_validate(headers={"Authorization": f"Bearer {shop.token}"}, checks=checks)

        one()

    for found in list(document.get_all_operations())[part::_PARTS]:
        operation = found.ok()
        ask(operation, GenerationMode.POSITIVE)
        if operation.body or operation.query or operation.path_parameters:
            ask(operation, GenerationMode.NEGATIVE)
    assert asked > 30
