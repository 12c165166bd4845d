"""A program that uses the API: a key of one seller, and requests as it makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from billing.api.door import api
from billing.flows import api_keys
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.validators.api_key import Scope
from billing.webhooks.app import create_app
from tests.flows.company import Company

ALL = tuple(each.value for each in Scope)


def anna() -> dict[str, Any]:
    """A new customer, of an account that there is not yet."""
    return {"account_id": f"a-{uuid4()}", "name": "Anna Beispiel", "country": "DE", "email": "anna@example.com"}


def basic(customer: dict[str, Any]) -> dict[str, Any]:
    """A subscription of theirs."""
    account = customer["account_id"]
    return {"code": f"s-{account}", "account_id": account, "items": [{"price": "basic"}]}


class Program:
    """Asks with a key; every POST has an idempotency key of its own unless one is given."""

    def __init__(self, app: Flask, token: str) -> None:
        self.client: FlaskClient = app.test_client()
        self.token = token

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        said = {"Authorization": f"Bearer {self.token}"}
        if method == "POST":
            said["Idempotency-Key"] = str(uuid4())
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.open(f"/api/v1{path}", method=method, json=body, headers=said)

    def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self.ask(method, path, body, **headers)
        assert answer.status_code in (200, 201), answer.text
        return answer.json

    def refused(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        answer = self.ask(method, path, body, **headers)
        assert answer.mimetype == "application/problem+json", answer.text
        said = answer.json
        assert {"code", "field", "mend", "status", "title", "type", "faults"} <= set(said)
        assert said["status"] == answer.status_code
        return answer.status_code, said["code"]


def application(parts: Parts) -> Flask:
    """The web application with the API."""
    app = create_app(parts)
    app.register_blueprint(api(parts))
    return app


def key_of(acme: Company, *, seller_id: Any = None, scopes: Sequence[str] = ALL) -> str:
    """A new key."""
    order = Order(actor="ada", reason="the shop needs one")
    return api_keys.create(
        acme.parts, seller_id=seller_id or acme.seller_id, name="shop", scopes=scopes, order=order
    ).token
