"""The floor under every statement (`tests/whole_reads.py`) sees what it is there for."""

from __future__ import annotations

import importlib
from uuid import uuid4

import pytest
from sqlalchemy import text

from billing.db.base import Base
from billing.db.session import connect, sessions
from billing.kernel.errors import Refused
from billing.queries.operations.finding import find_invoice
from tests.servers import Databases
from tests.whole_reads import FEW, MAY, Sent, watching, whole_reads

BY_INDEX = "SELECT id FROM billing.invoice WHERE profile_id = %(id)s"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("SELECT id FROM billing.payment WHERE payment_intent_id = %(id)s", ["payment"]),
        ("UPDATE billing.billing_period SET invoice_id = NULL WHERE invoice_id = %(id)s", ["billing_period"]),
        (
            "SELECT FROM billing.invoice i JOIN billing.payment p ON p.payment_intent_id = i.id WHERE i.id = %(id)s",
            ["payment"],
        ),
        (BY_INDEX, []),
        ("SELECT id FROM billing.seller WHERE legal_name = %(id)s::text", []),
        ("SELECT id FROM pg_temp.gone WHERE id = %(id)s", []),
    ],
)
def test_a_growing_table_that_is_read_whole_is_told(
    request: pytest.FixtureRequest, statement: str, told: list[str]
) -> None:
    databases: Databases = request.getfixturevalue("_databases")
    found = whole_reads(databases, {statement: Sent(statement, {"id": uuid4()}, "billing/flows/some.py:thing")})
    assert [line.split(":")[1].split("all of ")[1] for line in found] == told


def test_what_the_engine_sends_is_seen_by_its_place_and_what_a_test_sends_is_not(database_url: str) -> None:
    with watching() as seen, sessions(connect(database_url)).begin() as session:
        session.execute(text("SELECT number FROM billing.invoice"))
        with pytest.raises(Refused):
            find_invoice(session, "ACME-000001")
    assert [sent.place for sent in seen.values()] == ["billing/queries/operations/finding.py:_one"]


def test_places_that_may_and_tables_that_stay_small_are_there() -> None:
    for place in MAY:
        path, name = place.split(":")
        assert hasattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)
    assert {f"billing.{name}" for name in FEW} - set(Base.metadata.tables) == {"billing.alembic_version"}
