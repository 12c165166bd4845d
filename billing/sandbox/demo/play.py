"""The play: business time goes from due moment to due moment, each time only once all is quiet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from billing.flows.intake import take_in
from billing.flows.intake_input import Intake
from billing.flows.parts import Parts
from billing.kernel.clock import format_instant
from billing.kernel.errors import BillingError
from billing.sandbox import clock
from billing.sandbox.demo import accident
from billing.sandbox.demo.accident import Accident
from billing.sandbox.demo.faults import faults_of
from billing.sandbox.stack import Stack

QUIET_S = 90.0
"""What is not done after so long (wall time) is stuck."""
_WORTH_IT = 2
"""So many invoices at one moment make an accident worth its while."""

_COUNTS = text(
    """
    SELECT count(*) AS invoices, count(*) FILTER (WHERE status = 'paid') AS paid,
           count(*) FILTER (WHERE status = 'open' AND dunning_at IS NOT NULL) AS failing
    FROM billing.invoice WHERE kind = 'invoice'
    """
)
_DUE_AT = text("SELECT count(*) FROM billing.subscription WHERE next_due_at <= :at AND hold_id IS NULL")


class Stuck(BillingError):
    """The engine does not come to rest. The message says what is left."""


@dataclass(frozen=True, slots=True)
class Scene:
    """How far it is."""

    now: datetime
    invoices: int
    paid: int
    failing: int


Watch = Callable[[Scene], None]


def import_company(parts: Parts, intake: Intake) -> None:
    """Take the company in. What is due at once is billed from then on."""
    take_in(
        parts,
        intake,
        actor="demo",
        reason="the demo's company",
        dry_run=False,
        progress=lambda *_: None,
    )


def play(stack: Stack, *, end: datetime, accident_at: datetime, watch: Watch) -> Accident | None:
    """Go on to `end` (business time) under faults. Returns what became of the accident. Raises `Stuck`."""
    parts = stack.parts
    for stand_in in clock.stand_ins(parts):
        (provider,) = stand_in.providers
        stand_in.add_faults(*faults_of(provider))
    happened: Accident | None = None
    while True:
        watch(_come_to_rest(parts))
        moment = clock.next_moment(parts)
        if moment is None or moment >= end:
            break
        due = _due_at(parts, moment)
        wanted = happened is None and moment >= accident_at and due >= _WORTH_IT
        if wanted:
            accident.slow_down(stack, charges=due)
        clock.advance(parts, moment, force=True)
        if wanted:
            happened = accident.kill_a_charging_worker(stack, charges=due)
    clock.advance(parts, end, force=True)
    watch(_come_to_rest(parts))
    return happened


def _come_to_rest(parts: Parts) -> Scene:
    reasons = clock.wait_until_quiet(parts, seconds=QUIET_S)
    if reasons:
        raise Stuck(f"at {format_instant(clock.now(parts))} after {QUIET_S:.0f} s still: {'; '.join(reasons)}")
    with parts.begin() as session:
        row = session.execute(_COUNTS).one()
        return Scene(parts.clock.now(session), row.invoices, row.paid, row.failing)


def _due_at(parts: Parts, moment: datetime) -> int:
    with parts.begin() as session:
        return int(session.execute(_DUE_AT, {"at": moment}).scalar_one())
