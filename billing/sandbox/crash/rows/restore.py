"""Row 58: the database is put back to an older copy while the provider remembers what was charged since.

Or it fails over to a replica that lagged, while the provider is still at what the lost server's workers asked it for.
"""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
from psycopg import sql
from sqlalchemy import make_url, text

from billing.sandbox.crash.case import Case, Row
from billing.sandbox.crash.stage import Stage
from billing.sandbox.crash.world import START, Customer, World

_MONTHS = World(
    customers=(Customer("a1"), Customer("a2", subscriptions=2)),
    moments=(START, datetime(2026, 3, 1, tzinfo=UTC)),
    months=2,
)
"""The second month is billed and charged after the copy, and lost with it."""


_PAYING = World(customers=(Customer("a1"), Customer("a2", subscriptions=2)))
"""What a wallet declined the provider lists nowhere, so such an attempt can't be told from none."""
_CHARGED_AFTER_MS = 2800
"""Within the lease of 3 s that the calls are sent under; processes are started and look at the database long before."""


def _put_back(stage: Stage) -> None:
    """Everybody is billed once more after the copy was taken; then it takes the database's place."""
    stage.receiver()
    stage.worker()
    stage.play(lambda: stage.quiet)
    _take_a_copy(stage)
    stage.revive()
    stage.skip()
    stage.wait(lambda: stage.quiet, "the second month to be charged")
    _put_the_copy_there(stage)
    stage.advance(stage.world.moments[-1])
    stage.hurt()


def _fail_over(stage: Stage) -> None:
    """The replica has the invoices and not their attempts, whose calls are under way when it takes over."""
    stage.receiver()
    stage.worker(faults="charge.pre_freeze=kill")
    stage.reach("charge.pre_freeze")
    with stage.parts.begin() as session:
        session.execute(text("UPDATE billing.database_pin SET timeline = 'an older one'"))
    _take_a_copy(stage)
    slow = {"kind": "slow", "rate": 1, "path": stage.house.charges, "method": "POST", "ms": _CHARGED_AFTER_MS}
    stage.witness.add_faults(slow)
    stage.revive()
    stage.wait(lambda: stage.witness.state().in_flight_requests > 0, "a call to be under way")
    _put_the_copy_there(stage)
    stage.witness.clear_faults()
    stage.hurt()


def _take_a_copy(stage: Stage) -> None:
    _alone(stage, ("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", *reversed(_names(stage))))


def _put_the_copy_there(stage: Stage) -> None:
    name, copy = _names(stage)
    _alone(stage, ("DROP DATABASE {} WITH (FORCE)", name), ("ALTER DATABASE {} RENAME TO {}", copy, name))


def _names(stage: Stage) -> tuple[str, str]:
    name = str(make_url(str(stage.database_url)).database)
    return name, f"{name}_copy"


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
        lambda _: [
            Case("58", "a month lost", _put_back, world=_MONTHS),
            Case("58", "a failover while calls are under way", _fail_over, world=_PAYING),
        ],
    ),
)
