"""Migrations and metadata give the same database, and a database at the wrong revision is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from billing.db import migrate
from billing.db.base import Base
from billing.kernel.errors import Refused
from billing.models import TRIGGERS
from tests import builders

REPOSITORY = Path(__file__).parents[2]

CATALOGUE = {
    "columns": """
        SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || udt_name || ' ' || is_nullable
               || ' ' || coalesce(column_default, '-')
        FROM information_schema.columns WHERE table_schema = 'billing' AND table_name <> 'alembic_version'""",
    "constraints": """
        SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'billing'::regnamespace
          AND conrelid::regclass::text NOT LIKE '%alembic_version'""",
    "indexes": """
        SELECT indexdef FROM pg_indexes WHERE schemaname = 'billing' AND tablename <> 'alembic_version'""",
    "triggers": """
        SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = 'billing'::regnamespace AND NOT t.tgisinternal""",
    "functions": """
        SELECT proname || ' ' || prosrc FROM pg_proc WHERE pronamespace = 'billing'::regnamespace""",
    "policies": """
        SELECT c.relname || ' ' || c.relrowsecurity || ' ' || coalesce(p.polname || ' '
               || pg_get_expr(p.polqual, p.polrelid) || ' ' || p.polroles::text, '-')
        FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid
        WHERE c.relnamespace = 'billing'::regnamespace AND c.relkind = 'r' AND c.relname <> 'alembic_version'""",
    "storage": """
        SELECT relname || ' ' || coalesce(reloptions::text, '-') FROM pg_class
        WHERE relnamespace = 'billing'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'""",
}


@pytest.fixture
def migrated(database_url: str) -> Iterator[Connection]:
    with create_engine(database_url, poolclass=NullPool).connect() as connection:
        yield connection


def _catalogue(connection: Connection) -> dict[str, list[str]]:
    return {
        kind: sorted(re.sub(r"\s+", " ", row) for row in connection.execute(text(query)).scalars())
        for kind, query in CATALOGUE.items()
    }


def _rebuild_from_metadata(connection: Connection) -> None:
    connection.execute(text("DROP SCHEMA billing CASCADE"))
    connection.execute(text("CREATE SCHEMA billing"))
    Base.metadata.create_all(connection)


def test_migrations_and_metadata_give_the_same_schema(migrated: Connection) -> None:
    by_migrations = _catalogue(migrated)
    _rebuild_from_metadata(migrated)
    by_metadata = _catalogue(migrated)
    for kind in CATALOGUE:
        assert by_migrations[kind] == by_metadata[kind], kind
        assert by_metadata[kind], f"nothing was compared of {kind}"


def test_every_table_says_when_its_rows_were_born() -> None:
    """DECISIONS 11; a table without it would pass every other test."""
    assert [table.name for table in Base.metadata.tables.values() if "created_at" not in table.columns] == []


def _changed(source: str) -> set[str]:
    """Tables whose rows a statement in this source changes."""
    raw = re.findall(r"\bUPDATE billing\.(\w+)", source)
    kept = re.findall(r"INSERT INTO billing\.(\w+)[^;]{0,900}?\bDO\s+UPDATE\b", source)
    models = {mapper.class_.__name__: mapper.local_table.name for mapper in Base.registry.mappers}
    built = [models[name] for name in re.findall(r"\bupdate\((\w+)\)", source) if name in models]
    return {*raw, *kept, *built}


def test_what_changes_without_a_version_is_named_in_its_decision() -> None:
    told = (REPOSITORY / "docs/decisions/0024-changes-without-a-version.md").read_text()
    packaged = (
        path for path in (REPOSITORY / "billing").rglob("*.py") if not {"migrations", "sandbox"} & {*path.parts}
    )
    versioned = {
        table.name for table in Base.metadata.tables.values() if {"version", "updated_at"} <= {*table.c.keys()}
    }
    changed = set[str]().union(*(_changed(path.read_text()) for path in packaged))
    assert len(changed & versioned) > 10, "the reading of statements sees nothing"
    assert re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE) == sorted((changed | {"sandbox_clock"}) - versioned)


def test_the_reading_of_statements_sees_each_kind() -> None:
    assert _changed("UPDATE billing.outbox SET x = 1") == {"outbox"}
    assert _changed("INSERT INTO billing.heartbeat (tick)\n VALUES (1)\n ON CONFLICT (tick)\n DO UPDATE SET x = 2") == {
        "heartbeat"
    }
    assert _changed("session.execute(update(LoginTry).where())") == {"login_try"}
    assert (
        _changed("INSERT INTO billing.outbox (id) VALUES (1) ON CONFLICT DO NOTHING; UPDATE other SET x = 1") == set()
    )


@pytest.mark.parametrize(
    ("kind", "drift"),
    [
        ("columns", "ALTER TABLE billing.seller ADD COLUMN planted text"),
        ("constraints", "ALTER TABLE billing.payment DROP CONSTRAINT ck_payment_amount_positive"),
        ("indexes", "DROP INDEX billing.uq_payment_open"),
        ("triggers", "DROP TRIGGER posting_append_only ON billing.posting"),
        ("functions", "CREATE FUNCTION billing.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        ("policies", "ALTER TABLE billing.invoice DISABLE ROW LEVEL SECURITY"),
        ("policies", "ALTER POLICY one_seller ON billing.invoice USING (true)"),
        ("storage", "ALTER TABLE billing.invoice RESET (fillfactor)"),
    ],
)
def test_the_comparison_sees_a_planted_drift(migrated: Connection, kind: str, drift: str) -> None:
    before = _catalogue(migrated)
    migrated.execute(text(drift))
    assert _catalogue(migrated)[kind] != before[kind]


def test_every_trigger_of_the_metadata_is_in_the_database(migrated: Connection) -> None:
    found = set(
        migrated.execute(
            text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname NOT LIKE 'RI_%'")
        ).scalars()
    )
    assert {trigger.name for trigger in TRIGGERS} <= found


def test_a_database_at_the_right_revision_is_accepted(migrated: Connection) -> None:
    migrate.require_current(migrated)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("DELETE FROM billing.alembic_version", "not_migrated"),
        ("UPDATE billing.alembic_version SET version_num = 'from_the_future'", "migration_unknown"),
    ],
)
def test_a_database_at_another_revision_is_refused(migrated: Connection, statement: str, code: str) -> None:
    migrated.execute(text(statement))
    with pytest.raises(Refused) as refused:
        migrate.require_current(migrated)
    assert refused.value.code == code


def test_an_upgrade_of_a_database_that_is_newer_than_the_code_is_refused(
    database_url: str, migrated: Connection
) -> None:
    migrated.execute(text("UPDATE billing.alembic_version SET version_num = '9999'"))
    migrated.commit()
    before = _catalogue(migrated)
    migrated.rollback()
    with pytest.raises(Refused, match=r"database: migration_unknown .*9999"):
        migrate.upgrade(database_url)
    assert _catalogue(migrated) == before
    assert migrated.scalar(text("SELECT version_num FROM billing.alembic_version")) == "9999"


def test_migrations_wait_for_locks_only_so_long() -> None:
    environment = (Path(migrate.__file__).parent / "migrations" / "env.py").read_text()
    assert "SET lock_timeout" in environment
    assert "SET statement_timeout" in environment


def test_upgrading_twice_changes_nothing(database_url: str, migrated: Connection) -> None:
    before = _catalogue(migrated)
    migrated.rollback()
    migrate.upgrade(database_url)
    assert _catalogue(migrated) == before


def test_a_check_that_was_written_as_a_json_null_is_null(database_url: str, migrated: Connection) -> None:
    with Session(migrated) as session:
        builders.profile(session, builders.seller(session))
        session.flush()
        session.execute(text("UPDATE billing.profile SET tax_id_check = 'null'"))
        session.execute(text("UPDATE billing.alembic_version SET version_num = '0064'"))
        # What later revisions make was not there yet.
        session.execute(text("DROP TABLE billing.line_accrual, billing.audit_acceptance"))
        session.commit()
    migrate.upgrade(database_url)
    assert migrated.scalar(text("SELECT tax_id_check IS NULL FROM billing.profile"))
