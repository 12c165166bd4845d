"""Rows 70, 72, 73: clocks of workers and database that are wrong, or step while a lease runs; uneven calendars."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime

from billing.sandbox.crash.case import Case, Row, Story
from billing.sandbox.crash.kills import killed
from billing.sandbox.crash.outside import set_clock_of_server
from billing.sandbox.crash.processes import is_alive, thaw
from billing.sandbox.crash.stage import Stage
from billing.sandbox.crash.world import ORDINARY, START, Customer, World

_HOURS = 7200
_ALMOST = 240
"""Seconds: many leases, and just within the tolerance of a signature's time. Beyond it deliveries are refused, as stale
ones are (row 66), and events come from the provider's list.
"""
_PAIR = World(customers=(Customer("a1"), Customer("a2", subscriptions=2)))
_TWICE = World(customers=_PAIR.customers, moments=(START, datetime(2026, 3, 1, tzinfo=UTC)), months=2)
_ZONES = World(
    customers=(
        Customer("a1", timezone="Europe/Berlin"),
        Customer("a2", timezone="America/New_York"),
        Customer("a3", timezone="America/St_Johns"),
        Customer("a4", timezone="Pacific/Apia"),
    ),
    moments=(START, datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 4, 1, 12, tzinfo=UTC)),
    months=3,
)
"""Anchored on the 31st, or on the 30th by their own date: over the end of February, and summer time of some."""


def _beside_a_right_one(seconds: int) -> Story:
    """One worker's clock is wrong by so much, another's is right. Both take whatever they can."""

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker("worker", env={"BILLING_CLOCK_OFFSET_S": str(seconds)})
        stage.worker("worker-2")
        stage.hurt()

    return story


def _both_wrong(stage: Stage) -> None:
    stage.receiver()
    stage.worker("worker", env={"BILLING_CLOCK_OFFSET_S": str(_HOURS)})
    stage.worker("worker-2", env={"BILLING_CLOCK_OFFSET_S": str(-_HOURS)})
    stage.hurt(2)


def _server_wrong(seconds: int) -> Story:
    """The database's clock is wrong from the start, all other clocks are right."""

    def story(stage: Stage) -> None:
        set_clock_of_server(stage, seconds)
        stage.receiver()
        stage.worker()
        stage.hurt()

    return story


def _server_steps(point: str) -> Story:
    """It comes back ahead while a lease runs, so that another worker takes over; and, once all is quiet, right again.

    Ids go by the database's clock and only rise within a process: with the clock that is right, all are started again.
    """

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker(faults=f"{point}=stop")
        frozen = stage.reach(point)
        set_clock_of_server(stage, _ALMOST)
        stage.hurt()
        stage.worker("worker-2")
        stage.play(lambda: stage.said("worker-2", "succeeded in") > 0)
        thaw(frozen)
        stage.play(lambda: stage.quiet)
        for living in stage.living.values():
            living.kill_group()
        set_clock_of_server(stage, 0)
        stage.hurt()

    return story


_SHIFT = "UPDATE billing.{table} SET {columns} WHERE lease_until IS NOT NULL"
_LEASES = {
    "payment": ("lease_until", "next_check_at"),
    "slice": ("lease_until",),
    "provider_event": ("lease_until", "next_try_at"),
}


def _step(stage: Stage, seconds: int) -> None:
    """What a step of the database's clock does to every lease that runs: forward they are over, back they last."""
    with stage.parts.begin() as session:
        for table, names in _LEASES.items():
            columns = ", ".join(f"{name} = {name} - make_interval(secs => {seconds})" for name in names)
            session.connection().exec_driver_sql(_SHIFT.format(table=table, columns=columns))


def _steps_forward(point: str) -> Story:
    """The holder's lease is over at once and another takes the job, while the holder lives and writes."""

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker(faults=f"{point}=stop")
        frozen = stage.reach(point)
        _step(stage, _HOURS)
        stage.hurt()
        stage.worker("worker-2")
        stage.play(lambda: stage.said("worker-2", "succeeded in") > 0)
        thaw(frozen)

    return story


_BACK_S = 5
"""More than a lease of the sandbox; an hour would have to be waited for."""


def _steps_back(point: str) -> Story:
    """The lease of a worker that died lasts longer than it should: nobody else writes before it is over."""

    def story(stage: Stage) -> None:
        stage.receiver()
        worker = stage.worker(faults=f"{point}=stop")
        frozen = stage.reach(point)
        _step(stage, -_BACK_S)
        with suppress(ProcessLookupError):
            os.kill(frozen, 9)
        worker.kill_group()
        stage.expect(not is_alive(worker.pid), "the worker lives on")
        stage.hurt()

    return story


def _dies_at(point: str, hit: int) -> Story:
    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker(faults=f"{point}=kill@{hit}")
        killed(stage, point)

    return story


_HELD = ("charge.frozen", "charge.answered", "renewals.claimed")

ROWS = (
    Row(
        "70",
        "a worker's clock is wrong by two hours, or the database's by minutes",
        lambda _: [
            Case("70", "one ahead", _beside_a_right_one(_HOURS), world=ORDINARY),
            Case("70", "one behind", _beside_a_right_one(-_HOURS), world=ORDINARY),
            Case("70", "one ahead, one behind", _both_wrong, world=ORDINARY),
            Case("70", "the database ahead", _server_wrong(_ALMOST), world=ORDINARY),
            Case("70", "the database behind", _server_wrong(-_ALMOST), world=ORDINARY),
            *(
                Case("70", f"the database ahead at {point}@1, then back", _server_steps(point), world=_TWICE)
                for point in _HELD
            ),
        ],
    ),
    Row(
        "72",
        "the clock steps while a lease runs",
        lambda _: [
            *(Case("72", f"forward at {point}@1", _steps_forward(point), world=_PAIR) for point in _HELD),
            *(Case("72", f"back at {point}@1", _steps_back(point), world=_PAIR) for point in _HELD),
        ],
    ),
    Row(
        "73",
        "ends of months and summer time in four zones, killed in between",
        lambda _: [
            Case("73", f"child renewals.commit@{hit}", _dies_at("renewals.commit", hit), world=_ZONES, may_miss=hit > 3)
            for hit in (2, 3, 4)
        ],
    ),
)
