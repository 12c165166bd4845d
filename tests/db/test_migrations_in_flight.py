"""Migrations run while customers are billed: nobody who reads or writes is held up for long, and one that broke off is
done again.
"""

from __future__ import annotations

import io
import re
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from billing.db import migrate

RELEASED = "0024"
"""Databases of the last release stand here: what comes after is done beside its workers."""
BEFORE_AN_INDEX = "0040"
"""The next migration builds an index on work items, and nothing else."""
ALIKE = {
    # A migration that broke off is rolled back, or is written so that it may be done again.
    "prefer-robust-stmts",
    # Each migration's session has both: see env.py.
    "require-lock-timeout",
    "require-statement-timeout",
    # `add_check` and `replace_index` put another in the place of what they take.
    "ban-drop-constraint",
    "renaming-object",
    # Counters of tries and days fit.
    "prefer-bigint-over-int",
}
"""Rules of squawk that are not ours."""
_PATIENCE_S = 30.0


def _faults(sql: str) -> set[str]:
    told = subprocess.run(
        [
            Path(sysconfig.get_path("scripts")) / "squawk",
            f"--exclude={','.join(sorted(ALIKE))}",
            "--reporter=gcc",
            "--pg-version=15",
        ],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode in {0, 1}, told.stderr
    return set(re.findall(r"(?:warning|error): (\S+)", told.stdout))


def _sql_since_the_release() -> str:
    config = migrate._config("postgresql://nobody/nothing")
    config.output_buffer = io.StringIO()
    command.upgrade(config, f"{RELEASED}:head", sql=True)
    return config.output_buffer.getvalue()


def test_no_migration_since_the_release_holds_the_release_up() -> None:
    sql = _sql_since_the_release()
    assert "CREATE INDEX CONCURRENTLY" in sql
    assert _faults(sql) == set()


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ("CREATE INDEX ix_planted ON billing.invoice (number);", "require-concurrent-index-creation"),
        (
            "BEGIN; CREATE INDEX CONCURRENTLY ix ON billing.invoice (number); COMMIT;",
            "ban-concurrent-index-creation-in-transaction",
        ),
        ("DROP INDEX billing.ix_invoice_due;", "require-concurrent-index-deletion"),
        ("ALTER TABLE billing.invoice ADD CONSTRAINT c CHECK (total_minor > 0);", "constraint-missing-not-valid"),
        ("ALTER TABLE billing.invoice DROP COLUMN number;", "ban-drop-column"),
        ("ALTER TABLE billing.invoice RENAME COLUMN number TO no;", "renaming-column"),
        ("ALTER TABLE billing.invoice ALTER COLUMN number TYPE varchar(20);", "changing-column-type"),
        ("ALTER TABLE billing.invoice ADD COLUMN planted text NOT NULL;", "adding-required-field"),
    ],
)
def test_what_would_hold_it_up_is_seen(planted: str, rule: str) -> None:
    assert rule in _faults(planted)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database as it stands before the index of work items is built."""
    made = create_engine(database_url, poolclass=NullPool)
    with made.begin() as connection:
        connection.execute(text("DROP SCHEMA billing CASCADE"))
    command.upgrade(migrate._config(database_url), BEFORE_AN_INDEX)
    yield made
    made.dispose()


def _each_on_its_own(engine: Engine) -> Connection:
    """A connection whose statements commit one by one, and see the others as they are by then."""
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"


_WRITE = text("UPDATE billing.work_item SET tries = tries")
_BUILD_WAITS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX%ix_work_item%'"
)
_TURN_ASKED_FOR = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND (query LIKE '%pg_try_advisory_lock%' OR query = 'COMMIT')"
)
_VALID = text("SELECT indisvalid FROM pg_index WHERE indexrelid = 'billing.ix_work_item_subject_id'::regclass")


def test_writers_go_on_while_an_index_waits_for_one_of_them(engine: Engine, database_url: str) -> None:
    with ThreadPoolExecutor(1) as beside, engine.connect() as slow, _each_on_its_own(engine) as other:
        slow.execute(_WRITE)
        upgrading = beside.submit(migrate.upgrade, database_url)
        _until(lambda: other.scalar(_BUILD_WAITS))
        other.execute(text("SET lock_timeout = '1s'"))
        other.execute(_WRITE)
        slow.commit()
        upgrading.result(timeout=_PATIENCE_S)
        assert other.scalar(_VALID) is True


def test_an_index_whose_build_broke_off_is_built_again(engine: Engine, database_url: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE INDEX ix_work_item_subject_id ON billing.work_item (kind)"))
        connection.execute(
            text(
                "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'billing.ix_work_item_subject_id'::regclass"
            )
        )
    migrate.upgrade(database_url)
    with engine.connect() as connection:
        assert connection.scalar(_VALID) is True
        built = connection.scalar(text("SELECT pg_get_indexdef('billing.ix_work_item_subject_id'::regclass)"))
    assert built is not None
    assert "(subject_id)" in built


def test_a_second_upgrade_waits_for_the_first_and_holds_up_no_index_of_it(engine: Engine, database_url: str) -> None:
    with ThreadPoolExecutor(1) as beside, _each_on_its_own(engine) as first, _each_on_its_own(engine) as other:
        first.execute(text("SELECT pg_advisory_lock(hashtext('billing.migrations'))"))
        upgrading = beside.submit(migrate.upgrade, database_url)
        _until(lambda: other.scalar(_TURN_ASKED_FOR))
        first.execute(text("CREATE INDEX CONCURRENTLY ix_planted ON billing.work_item (kind)"))
        assert not upgrading.done()
        first.execute(text("DROP INDEX billing.ix_planted"))
        first.execute(text("SELECT pg_advisory_unlock_all()"))
        upgrading.result(timeout=_PATIENCE_S)
        migrate.require_current(other)
