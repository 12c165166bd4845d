"""Business time of the sandbox: moved only when all is quiet, together with the stand-ins' clocks (DECISIONS 2)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text

from billing.flows.parts import Parts
from billing.kernel.clock import format_instant
from billing.kernel.errors import Fault, Refused
from billing.providers.stripe.witness import Witness, WitnessState
from billing.queue.buffer import after_commit
from billing.queue.names import TICKS, TaskName
from billing.sandbox.broker import messages
from billing.sandbox.waiting import counted, read_waiting

POLL_S = 0.05
_NUDGE_S = 0.25
"""After so long without progress sweeps are woken: a thousand moments can't each wait for beat's second."""

_NEXT = text(
    """
    WITH held AS (SELECT id FROM billing.profile WHERE hold_id IS NOT NULL), moment AS (
      SELECT next_due_at AS at FROM billing.subscription
      WHERE next_due_at > :now AND hold_id IS NULL AND profile_id NOT IN (SELECT id FROM held)
      UNION ALL
      SELECT next_attempt_at FROM billing.invoice
      WHERE status = 'open' AND next_attempt_at > :now AND hold_id IS NULL AND profile_id NOT IN (SELECT id FROM held))
    SELECT max(at) FROM moment WHERE at <= (SELECT min(at) FROM moment) + make_interval(secs => :grouped_s)
    """
)


def now(parts: Parts) -> datetime:
    """Business time, aware UTC."""
    with parts.begin() as session:
        return parts.clock.now(session)


def first_set(parts: Parts, *, now: datetime) -> None:
    """Begin business time at `now`, if it never began; the stand-ins' clocks are set to the same instant."""
    with parts.begin() as session:
        begin = text("INSERT INTO billing.sandbox_clock (one, instant) VALUES (1, :now) ON CONFLICT DO NOTHING")
        session.execute(begin, {"now": now})
        standing = parts.clock.now(session)
    for stand_in in stand_ins(parts):
        stand_in.set_clock(standing)


def next_moment(parts: Parts, *, grouped_s: float = 3600.0) -> datetime | None:
    """The next due moment of a subscription or an invoice; of those within `grouped_s` (business seconds) the last."""
    with parts.begin() as session:
        found: datetime | None = session.execute(
            _NEXT, {"now": parts.clock.now(session), "grouped_s": grouped_s}
        ).scalar_one()
    return found


def quiet(parts: Parts) -> list[str]:
    """What is not quiet, in words; empty where business time may be moved.

    The stand-ins are asked before and after our rows are read: nothing that began in between is overlooked.
    """
    theirs = stand_ins(parts)
    before = [each.state() for each in theirs]
    waiting = read_waiting(parts)
    held = messages(parts.settings.broker_url or "")
    after = [each.state() for each in theirs]
    reasons = [*waiting.reasons, *_going_on(after)]
    if held.waiting:
        reasons.append(f"{counted(held.waiting, 'message', 'messages')} queued")
    if held.in_hands:
        reasons.append(f"{counted(held.in_hands, 'message', 'messages')} in workers' hands")
    asked = [each.requests for each in before] != [each.requests for each in after]
    if not reasons and (asked or not all(each.quiet for each in before)):
        reasons.append("the provider was asked something just now")
    return reasons


def wait_until_quiet(parts: Parts, *, seconds: float) -> list[str]:
    """Wait, at most so long (wall time), until all is quiet. Returns what is not, as `quiet` does.

    Where nothing moves, the sweeps that would help are woken.
    """
    deadline, moved = time.monotonic() + seconds, time.monotonic()
    counts: dict[str, int] = {}
    while True:
        waiting = read_waiting(parts)
        reasons = waiting.reasons or quiet(parts)
        if not reasons or time.monotonic() >= deadline:
            return reasons
        if waiting.counts != counts:
            counts, moved = waiting.counts, time.monotonic()
        elif time.monotonic() - moved > _NUDGE_S:
            wake(parts, *waiting.ticks)
            moved = time.monotonic()
        time.sleep(POLL_S)


def advance(parts: Parts, to: datetime, *, force: bool = False, wait_s: float = 0) -> None:
    """Move business time to `to` (aware), the stand-ins' clocks with it, and wake the sweeps.

    Unless forced it waits, at most so long (wall time), until all is quiet, and moves by that very look.

    Raises `Refused`: `clock_goes_forward`, and unless forced `not_quiet`, which names what is not.
    """
    _require_later(parts, to)
    reasons = [] if force else wait_until_quiet(parts, seconds=wait_s)
    if reasons:
        raise Refused(Fault("clock", "not_quiet", f"{'; '.join(reasons)}: wait, or give --force"))
    # Somebody else may have waited for the same quiet, and moved it first.
    _require_later(parts, to)
    # The stand-ins go first. What we send under the new time must not be dated before it there: evidence is looked
    # for among what was created since.
    for stand_in in stand_ins(parts):
        stand_in.set_clock(to)
    with parts.begin() as session:
        session.execute(text("UPDATE billing.sandbox_clock SET instant = :to"), {"to": to})
        for tick in TICKS:
            after_commit(session, tick)


def _require_later(parts: Parts, to: datetime) -> None:
    standing = now(parts)
    if to <= standing:
        raise Refused(Fault("to", "clock_goes_forward", f"it is {format_instant(standing)}; name a later moment"))


def wake(parts: Parts, *ticks: TaskName) -> None:
    """Send these sweeps now, as beat would."""
    with parts.begin() as session:
        for tick in ticks:
            after_commit(session, tick)


def stand_ins(parts: Parts) -> tuple[Witness, ...]:
    """Those behind these parts, one a provider. Raises `Refused` (`no_stand_in`)."""
    bases = {"stripe": parts.settings.stripe_api_base, "paypal": parts.settings.paypal_api_base}
    found = tuple(Witness(base, provider=name) for name, base in bases.items() if base)
    if not found:
        raise Refused(Fault("STRIPE_API_BASE", "no_stand_in", "the sandbox's clock needs a stand-in: `billing up`"))
    return found


def _going_on(states: Sequence[WitnessState]) -> list[str]:
    counts = (
        (sum(each.in_flight_requests for each in states), "request", "requests", "unanswered by the provider"),
        (sum(each.undelivered_webhooks for each in states), "webhook", "webhooks", "undelivered"),
        (sum(each.due_timers for each in states), "timer", "timers", "due at the provider"),
    )
    return [f"{counted(count, one, many)} {what}" for count, one, many, what in counts if count]
