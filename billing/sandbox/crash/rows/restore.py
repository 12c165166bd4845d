"""Row 58: the database is put back to an older copy while the provider remembers what was charged since."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from billing.sandbox.crash.case import Case, Row
from billing.sandbox.crash.stage import Stage
from billing.sandbox.crash.world import START, Customer, World

_MONTHS = World(
    customers=(Customer("a1"), Customer("a2", subscriptions=2)),
    moments=(START, datetime(2026, 3, 1, tzinfo=UTC)),
    months=2,
)
"""The second month is billed and charged after the copy, and lost with it."""


def _put_back(stage: Stage) -> None:
    """Everybody is billed once more after the copy was taken; then it takes the database's place."""
    stage.receiver()
    stage.worker()
    stage.play(lambda: stage.quiet)
    name = str(make_url(str(stage.database_url)).database)
    copy = f"{name}_copy"
    _alone(stage, ("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", copy, name))
    stage.revive()
    stage.skip()
    stage.wait(lambda: stage.quiet, "the second month to be charged")
    _alone(stage, ("DROP DATABASE {} WITH (FORCE)", name), ("ALTER DATABASE {} RENAME TO {}", copy, name))
    stage.advance(stage.world.moments[-1])
    stage.hurt()


def _alone(stage: Stage, *orders: tuple[str, ...]) -> None:
    """Kill every process, so that nobody is connected, and give the server these orders."""
    for living in stage.living.values():
        living.kill_group()
    stage.parts.sessions.kw["bind"].dispose()
    address = make_url(str(stage.database_url)).set(drivername="postgresql", database="postgres")
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as server:
        for statement, *names in orders:
            server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


ROWS = (
    Row(
        "58",
        "the database put back to an older copy",
        lambda _: [Case("58", "a month lost", _put_back, world=_MONTHS)],
    ),
)
