"""The stage: what a played scenario's database is kept fit for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import event, text

from billing.sandbox.scenario.playing.player import play
from billing.sandbox.scenario.reading import read_scenario
from tests.stages import staged

MANY = 200
_CUSTOMERS = ", ".join(f"c{number}: {{payment_method: visa}}" for number in range(MANY))
_STEPS = "\n".join(
    f"  - {{at: 2026-01-01, do: subscribe, as: s{number}, customer: c{number}, items: [{{price: basic}}]}}"
    for number in range(MANY)
)
FILE = f"""
scenario: 1
seller: {{country: DE, currency: eur, tax_rates: {{standard: {{percent: "19"}}}}}}
prices: {{basic: {{product: Basic, amount: 1000, interval: month}}}}
customers: {{{_CUSTOMERS}}}
timeline:
{_STEPS}
until: 2026-02-02
"""


@pytest.mark.new_database
def test_the_server_plans_by_what_has_come_to_be_there(database_url: str) -> None:
    """Left alone it goes by empty tables for a minute, and reads every row of them for each answer to a charge."""
    scenario = read_scenario(FILE, name="many.yaml")
    believed = text("SELECT reltuples FROM pg_class WHERE oid = CAST(:table AS regclass)")
    with staged(database_url, now=scenario.steps[0].at) as stage:
        with stage.parts.begin() as session:  # the server's own look, a minute later on a slow machine, is left out
            for name in ("invoice", "payment"):
                session.execute(text(f"ALTER TABLE billing.{name} SET (autovacuum_enabled = false)"))
        play(scenario, stage)
        with stage.parts.begin() as session:
            rows = {name: session.scalar(believed, {"table": f"billing.{name}"}) for name in ("invoice", "payment")}
    there = 2 * MANY
    assert {name: there // 2 <= row <= there for name, row in rows.items()} == {"invoice": True, "payment": True}, rows


def test_what_another_play_has_left_in_the_files_is_no_growth(database_url: str) -> None:
    looks: list[str] = []
    with staged(database_url, now=datetime(2026, 1, 1, tzinfo=UTC)) as stage:
        note = lambda _connection, _cursor, statement, *_: looks.append(statement)  # noqa: E731
        event.listen(stage.parts.sessions.kw["bind"], "before_cursor_execute", note)
        for size in (3_000_000, 5_000_000):
            stage.look_anew(size)
        assert looks == []
        stage.look_anew(6_000_000)
    assert looks == ["ANALYZE"]
