"""Row 74: code that is older than the schema and than what the provider says goes on, and so does its successor."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from billing.sandbox.crash.case import Case, Row, Story
from billing.sandbox.crash.stage import Stage
from billing.sandbox.crash.world import DECLINES_ONCE, START, Customer, World

_WORLD = World(
    customers=(Customer("a1"), Customer("a2", card=DECLINES_ONCE)),
    moments=(START, *(datetime(2026, *day, tzinfo=UTC) for day in ((2, 3), (3, 1), (3, 4)))),
    months=2,
)
_TABLES = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'billing' AND table_type = 'BASE TABLE'"
)
_OK = 200


def _migrated_meanwhile(*, stop: str) -> Story:
    """Every table gains a column, as a newer version's migration adds them, while workers of this one have work.

    With `stop` a worker stands inside its transaction or its call as that happens. Then each process starts again.
    """

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker(faults=f"{stop}=stop" if stop else "")
        frozen = stage.reach(stop) if stop else None
        if not stop:
            stage.play(lambda: stage.quiet)
        _add_columns(stage)
        stage.hurt()
        if frozen is not None:
            stage.thaw(frozen)
        _an_event_of_a_later_version(stage)
        stage.play()
        for name in ("worker", "receiver"):
            stage.living[name].kill_group()
        stage.revive()
        stage.play()

    return story


def _add_columns(stage: Stage) -> None:
    with stage.parts.begin() as session:
        tables = sorted(session.connection().exec_driver_sql(_TABLES).scalars())
    for table in tables:
        with stage.parts.begin() as session:
            session.connection().exec_driver_sql("SET LOCAL lock_timeout = '10s'")
            session.connection().exec_driver_sql(
                f"ALTER TABLE billing.{table} ADD COLUMN of_a_later_version text NOT NULL DEFAULT 'x'"
            )


def _an_event_of_a_later_version(stage: Stage) -> None:
    """A type that nobody here knows, and a field in one that somebody does."""
    if not stage.events():
        return
    event = json.loads(json.dumps(stage.events()[-1]))
    event |= {"id": "evt_of_a_later_version", "type": "payment_intent.of_a_later_version"}
    event["data"]["object"]["of_a_later_version"] = {"nested": [1]}
    stage.expect(stage.deliver(event) == _OK, "an event of a later version is refused")
    kept = stage.count("SELECT count(*) FROM billing.provider_event WHERE event_ref = 'evt_of_a_later_version'")
    stage.expect(kept == 1, f"{kept} events of a later version are kept")


ROWS = (
    Row(
        "74",
        "a newer schema under running code",
        lambda _: [
            Case("74", "between two jobs", _migrated_meanwhile(stop=""), world=_WORLD),
            Case("74", "while a call is under way", _migrated_meanwhile(stop="charge.sending"), world=_WORLD),
        ],
    ),
)
