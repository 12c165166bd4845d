"""What tests of the customer's page share: a visitor's browser, who owes, and the links that lead there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.testing import FlaskClient

from billing.flows import links
from billing.flows.parts import Parts
from billing.views.customer import customer_page
from billing.webhooks.app import create_app
from tests.flows.company import Company


def browser_of(parts: Parts) -> FlaskClient:
    app = create_app(parts)
    app.register_blueprint(customer_page(parts))
    return app.test_client()


def owing(acme: Company, method: str | None = None) -> UUID:
    profile_id = acme.customer("one", method=method)
    acme.subscribe("one", "one-basic")
    acme.settle()
    return profile_id


def path_of(acme: Company, profile_id: UUID) -> str:
    with acme.parts.begin() as session:
        return "/pay/" + links.profile_link(acme.parts, session, profile_id).rpartition("/")[2]


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]
