"""The console over a small company, and people who are in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from billing.api.door import api
from billing.commands.operator.add import add_operator
from billing.commands.operator.open_session import open_session
from billing.db.clock import wall_now
from billing.flows import operators
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.queries.operator import find_operator
from billing.rules.permission import Role
from billing.views.console.door import console
from billing.views.console.visiting import form_token
from billing.webhooks.app import create_app
from tests.flows.company import Company, company

ADDED = Order(actor="root", reason="works here")


@dataclass
class Person:
    """An operator's browser, already in."""

    client: FlaskClient
    csrf: str

    def get(self, path: str, **given: Any) -> Any:
        return self.client.get(f"/console{path}", **given)

    def post(self, path: str, **form: str) -> Any:
        return self.client.post(f"/console{path}", data={"csrf": self.csrf, **form})

    def reads(self, path: str) -> str:
        """The page, where it is one."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        text: str = answer.text
        return text


@dataclass
class House:
    """The console."""

    acme: Company
    app: Flask

    def person(self, name: str, role: Role) -> Person:
        """Somebody of that role, in without a password: what a login costs is told elsewhere."""
        with self.acme.parts.begin() as session:
            operator = find_operator(session, name) or add_operator(session, name=name, role=role)
            token = open_session(session, operator_id=operator.id, wall=wall_now(session))
        client = self.app.test_client()
        client.set_cookie("console", token)
        return Person(client, form_token(token))

    def stranger(self) -> FlaskClient:
        return self.app.test_client()

    def admit(self, name: str, role: Role) -> operators.Admitted:
        """Somebody with a password."""
        return operators.add(self.acme.parts, name=name, role=role, with_password=True, order=ADDED)


def served(parts: Parts, **settings: Any) -> Flask:
    """The application with a console by these settings."""
    given = {"billing_console": "password", "broker_url": None, **settings}
    parts = replace(parts, settings=parts.settings.model_copy(update=given))
    app = create_app(parts)
    # As wsgi.py joins them: what one door says of all addresses, the others hear.
    app.register_blueprint(api(parts))
    door = console(parts)
    if door is not None:
        app.register_blueprint(door)
    return app


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    with company(database_url, patience_s=30) as acme:
        yield House(acme, served(acme.parts))


@pytest.fixture
def fay(house: House) -> Person:
    """Somebody of finance."""
    return house.person("fay", Role.FINANCE)
