"""What becomes of workers in a life: one dies between two transactions, old rows are forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from billing.flows import reconciliation, retention
from billing.kernel import failpoints
from billing.kernel.errors import PROVIDER_ERRORS, Stale
from tests.flows import life_of_money
from tests.flows.life import Act, Life
from tests.flows.passing import passing

POINTS = (
    "renewals.planned", "renewals.claimed", "renewals.planned_slice", "renewals.numbered", "renewals.commit",
    "renewals.billed", "charge.planned", "charge.pre_freeze", "charge.freeze_commit", "charge.frozen", "charge.marked",
    "charge.sending", "charge.answered", "charge.record", "charge.recorded", "resolve.claimed", "resolve.asked",
    "event.claimed", "event.reread", "event.commit", "refund.reserved", "refund.sending", "refund.answered",
    "payout.reserved", "reconcile.page", "reconcile.window", "adopt.read", "adopt.commit",
    "movements.kept", "movements.step", "payouts.page", "payouts.listed",
)  # fmt: skip
_LEASES_END = tuple(
    text(f"UPDATE billing.{table} SET lease_until = clock_timestamp(), {more} WHERE lease_until > clock_timestamp()")
    for table, more in (
        ("payment", "next_check_at = clock_timestamp()"),
        ("refund", "next_check_at = clock_timestamp()"),
        ("provider_event", "next_try_at = clock_timestamp()"),
        ("slice", "updated_at = updated_at - interval '1 hour'"),
        ("reconciliation", "updated_at = clock_timestamp()"),
    )
)


class Died(BaseException):
    """The process is gone: no handler of a fault runs."""


@contextmanager
def _dying(points: Sequence[str]) -> Iterator[None]:
    """Whoever comes to one of these first dies; the next passes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BILLING_FAILPOINTS", ",".join(f"{point}=raise" for point in points))
        patch.setattr(failpoints, "FailpointError", Died)
        failpoints.read_environment()
        try:
            yield
        finally:
            patch.delenv("BILLING_FAILPOINTS")
            failpoints.read_environment()


def die(life: Life) -> None:
    """A worker dies while something is done, or while work goes on; its leases run out, and others go on."""
    chance = life.chance
    others = {act: weight for act, weight in life.acts.items() if act is not die}
    (act,) = [life_of_money.go] if chance.random() < 0.6 else chance.choices(list(others), list(others.values()))
    with _dying(chance.sample(POINTS, len(POINTS) // 4)):
        try:
            life.told(act)
            life.acme.sweep()
            with passing(*PROVIDER_ERRORS, Stale):
                reconciliation.tick(life.acme.parts)
        except Died as died:
            life.done.append(f"{act.__name__} until {died}")
    with life.acme.parts.begin() as session:
        for statement in _LEASES_END:
            session.execute(statement)


def forget(life: Life) -> None:
    """What is older than its setting is forgotten."""
    retention.forget(life.acme.parts)


ACTS: Mapping[Act, int] = {die: 6, forget: 1}
