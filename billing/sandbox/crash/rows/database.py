"""Rows 53 to 57, 77, 81: a database that crashes, refuses, locks or takes no writes; numbers that many want at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from billing.sandbox.crash.case import Case, Row, Story, Trace
from billing.sandbox.crash.kills import kill_child, while_frozen
from billing.sandbox.crash.outside import cut_sessions, name_of, on_server, without_database
from billing.sandbox.crash.stage import NotReached, Stage
from billing.sandbox.crash.world import Customer, World

_PAIR = World(customers=(Customer("a1"), Customer("a2", subscriptions=2)))
_MANY = World(customers=tuple(Customer(f"a{number}") for number in range(1, 13)))
_AWAY_S = 3.0
"""As long as a lease: longer than any step of a flow."""
_LOCKED_S = 4.0
_UNAVAILABLE = 503


def _crashed(stage: Stage) -> None:
    stage.postgres.kill_postgres(immediate=True)
    stage.postgres.restart()


def _at_points(trace: Trace) -> list[Case]:
    return [
        Case(
            "53",
            f"immediate stop at {point}",
            while_frozen(point, _crashed),
            own_server=True,
            may_miss=True,
        )
        for point in sorted(trace.worker)
    ]


def _stopped_fast(stage: Stage) -> None:
    """All sessions end with 57P01 and none may begin; a webhook that comes meanwhile is not taken."""
    stage.receiver()
    stage.worker()
    if not stage.play(lambda: bool(stage.events())):
        raise NotReached("an event")
    event = stage.events()[-1]
    with without_database(stage):
        status = stage.deliver(event)
        stage.expect(status == _UNAVAILABLE, f"a delivery was answered {status} without a database")
        time.sleep(_AWAY_S)
    stage.hurt()


def _refused(stage: Stage) -> None:
    """Nobody gets a connection, as where there are too many; those who had one lose it in the middle of the work."""
    stage.receiver()
    stage.worker(faults="charge.answered=stop")
    frozen = stage.reach("charge.answered")
    stage.worker("worker-2")
    with without_database(stage):
        stage.thaw(frozen)
        time.sleep(_AWAY_S)
    stage.hurt()


def _locked(table: str, at: str) -> Story:
    """A stranger holds all rows of a table for longer than a lease, while the flows want them."""

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker("worker", faults=f"{at}=stop", concurrency=2)
        frozen = stage.reach(at)
        with stage.parts.sessions() as session:
            session.execute(text(f"SELECT 1 FROM billing.{table} FOR UPDATE"))  # noqa: S608 (our own names)
            stage.thaw(frozen)
            time.sleep(_LOCKED_S)
            session.rollback()
        stage.hurt()

    return story


def _deadlocked(stage: Stage) -> None:
    """A stranger and a slice want each other's customers: PostgreSQL ends one of the two, and all is billed."""
    stage.receiver()
    stage.worker(faults="renewals.claimed=stop")
    frozen = stage.reach("renewals.claimed")
    first, last = stage.ids("SELECT id FROM billing.profile ORDER BY id")
    lock = text("SELECT 1 FROM billing.profile WHERE id = :id FOR UPDATE")
    with stage.parts.sessions() as session:
        session.execute(lock, {"id": last})
        stage.thaw(frozen)
        stage.wait(lambda: stage.count(_WANTED) > 0, "the slice to want what is held", ticking=False)
        with suppress(OperationalError):
            session.execute(lock, {"id": first})
        session.rollback()
    stage.wait(lambda: stage.count(_DEADLOCKS) > 0, "PostgreSQL to have ended one of the two")
    stage.hurt()


_WANTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


def _read_only(stage: Stage) -> None:
    """No write is taken, as with a full disk: what can't be written down first is not sent."""
    stage.receiver()
    stage.worker(faults="charge.pre_freeze=stop")
    frozen = stage.reach("charge.pre_freeze")
    name = name_of(stage)
    on_server(stage, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    cut_sessions(stage)
    stage.thaw(frozen)
    sent = sum(1 for _ in stage.witness.charges())
    time.sleep(_AWAY_S)
    stage.expect(sum(1 for _ in stage.witness.charges()) == sent, "money moved that could not be written down first")
    on_server(stage, f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    cut_sessions(stage)
    stage.hurt()


def _fifty_at_once(stage: Stage) -> None:
    """Slices of one customer each, three workers of three: all want the next number of one series."""
    stage.receiver()
    for number in range(1, 4):
        stage.worker(f"worker-{number}", concurrency=3, env={"BILLING_SLICE_SIZE": "1"})
    stage.hurt()


def _numbered(trace: Trace) -> list[Case]:
    return [
        *(
            Case("77", f"child renewals.numbered@{hit}", kill_child("renewals.numbered", hit), may_miss=hit > 1)
            for hit in range(1, trace.worker["renewals.numbered"] + 1)
        ),
        Case("77", "many at once", _fifty_at_once, world=_MANY),
    ]


def _power_cut(point: str) -> Story:
    """Workers, receiver, broker and database are all gone at once."""

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker(faults=f"{point}=stop")
        stage.reach(point)
        for living in stage.living.values():
            living.kill_group()
        stage.broker.kill()
        stage.postgres.kill_postgres(immediate=True)
        stage.postgres.restart()
        stage.hurt(4)

    return story


def _cases(row: str, *stories: tuple[str, Story]) -> Callable[[Trace], list[Case]]:
    return lambda _: [Case(row, name, story, world=_PAIR) for name, story in stories]


ROWS = (
    Row("53", "PostgreSQL stops immediately", _at_points),
    Row("54", "PostgreSQL ends all sessions and is away", _cases("54", ("57P01, then nothing", _stopped_fast))),
    Row(
        "55",
        "somebody holds the locks",
        _cases(
            "55",
            *(
                (f"all rows of {table} at {point}", _locked(table, point))
                for table, point in (
                    ("series", "renewals.claimed"),
                    ("profile", "renewals.claimed"),
                    ("invoice", "charge.answered"),
                    ("slice", "charge.pre_freeze"),
                )
            ),
            ("a slice and a stranger want each other's customers", _deadlocked),
        ),
    ),
    Row("56", "no connection is to be had", _cases("56", ("while an answer is to be recorded", _refused))),
    Row("57", "no write is taken", _cases("57", ("before the freeze", _read_only))),
    Row("77", "numbers: killed with one taken, and many at once", _numbered),
    Row(
        "81",
        "power cut: everything at once",
        lambda _: [
            Case("81", f"at {point}", _power_cut(point), world=_PAIR, own_server=True)
            for point in ("renewals.commit", "charge.freeze_commit", "charge.answered", "charge.record")
        ],
    ),
)
