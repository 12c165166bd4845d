"""What a superuser runs where a migration may not make the API's role leaves what the migrations leave."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.servers import Databases

RUN = Path(__file__).parents[2] / "docs" / "run.md"
_MAY = """
SELECT c.relname, privilege, has_table_privilege('billing_seller', c.oid, privilege)
FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) privilege
WHERE c.relnamespace = 'billing'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1, 2
"""
_LATER = "SELECT defaclobjtype::text, defaclacl::text FROM pg_default_acl"


@pytest.fixture
def connection(_databases: Databases) -> Iterator[psycopg.Connection[Any]]:
    name = _databases.clone()
    with psycopg.connect(_databases.url_of(name).replace("+psycopg", ""), autocommit=True) as open_:
        yield open_
    _databases.drop(name)


def _told() -> list[str]:
    """The statements of the page, but the one that makes the role, which all databases of a server share."""
    block = re.search(r"```sql\nCREATE ROLE billing_seller NOLOGIN;\n(.*?)```", RUN.read_text(), re.DOTALL)
    assert block is not None
    plain = re.sub(r"--.*", "", block[1])
    return [each.strip() for each in plain.split(";") if each.strip()]


def test_by_hand_the_role_is_given_what_the_migrations_give_it_in_later_tables_too(
    connection: psycopg.Connection[Any],
) -> None:
    def granted() -> tuple[list[Any], list[Any]]:
        return connection.execute(_MAY).fetchall(), connection.execute(_LATER).fetchall()

    by_migrations = granted()
    connection.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA billing REVOKE ALL ON TABLES FROM billing_seller")
    connection.execute("REVOKE ALL ON ALL TABLES IN SCHEMA billing FROM billing_seller")
    connection.execute("REVOKE ALL ON SCHEMA billing FROM billing_seller")
    assert granted() != by_migrations
    user = connection.info.user
    for statement in _told():
        connection.execute(re.sub(r"(TO|FOR ROLE) billing\b(?!_)", rf'\1 "{user}"', statement).encode())
    assert granted() == by_migrations
