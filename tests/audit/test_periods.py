"""Periods, recomputed: what looks odd and is in order is not accused, what looks in order and is not, is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.flows.audit import run
from billing.flows.parts import Parts
from billing.kernel.ids import new_id
from billing.models import BillingPeriod, Profile, SandboxClock, Subscription
from billing.wiring import build
from tests import builders
from tests.stack import Noted, settings_for

NOW = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def parts(database_url: str) -> Iterator[Parts]:
    made = replace(build(settings_for(database_url, "http://127.0.0.1:9"), transport=Noted()), keyring=builders.KEYRING)
    with made.begin() as session:
        session.add(SandboxClock(one=1, instant=NOW))
    yield made
    made.sessions.kw["bind"].dispose()


def accused(parts: Parts) -> list[str]:
    return [f"{each.code} {each.detail}" for each in run(parts, codes=["R1", "R6"]).violations]


def at(month: int, day: int) -> datetime:
    return datetime(2026, month, day, 9, tzinfo=UTC)


def payer(session: Session) -> Profile:
    return builders.profile(session, builders.seller(session), timezone="UTC")


def recorded(session: Session, of: Subscription, k: int, start: datetime, end: datetime, **given: object) -> None:
    known = {"anchor_no": 0, "disposition": "skipped"}
    row = BillingPeriod(
        id=new_id(),
        seller_id=of.seller_id,
        subscription_id=of.id,
        period_no=k,
        starts_at=start,
        ends_at=end,
        **known | given,
    )
    builders.add(session, row)


@pytest.mark.parametrize("billed", [True, False])
def test_a_zone_that_nobody_knows_is_told_of_its_subscription_and_the_audit_goes_on(
    parts: Parts, *, billed: bool
) -> None:
    """A zone may go with a release of the zones' data. `never_begun` needs it where `paid_through` is given."""
    with parts.begin() as session:
        of = builders.subscription(
            session, payer(session), [], anchor_at=at(1, 10), started_at=at(1, 10), paid_through=at(2, 10)
        )
        of.timezone = "Mars/Phobos"
        if billed:
            recorded(session, of, 1, at(2, 10), at(3, 10))

    (unknown,) = [each for each in accused(parts) if "Mars/Phobos" in each]
    assert unknown.startswith("R1 ")


@pytest.mark.parametrize(("end_of_first_part", "broken"), [(at(3, 10), False), (at(3, 9), True)])
def test_a_first_part_ends_at_the_anchor(parts: Parts, *, end_of_first_part: datetime, broken: bool) -> None:
    with parts.begin() as session:
        of = builders.subscription(
            session, payer(session), [], started_at=at(2, 20), anchor_at=at(3, 10), next_due_at=at(4, 10)
        )
        recorded(session, of, -1, at(2, 20), end_of_first_part)
        recorded(session, of, 0, at(3, 10), at(4, 10))

    assert any("first part" in each for each in accused(parts)) is broken


def test_after_a_new_anchor_both_runs_tile(parts: Parts) -> None:
    with parts.begin() as session:
        of = builders.subscription(
            session, payer(session), [], started_at=at(1, 5), anchor_at=at(3, 8), anchor_no=1, next_due_at=at(4, 8)
        )
        recorded(session, of, 0, at(1, 5), at(2, 5))
        recorded(session, of, 1, at(2, 5), at(3, 8))
        recorded(session, of, 0, at(3, 8), at(4, 8), anchor_no=1)

    assert accused(parts) == []


def test_a_subscription_that_has_not_begun_owes_nothing(parts: Parts) -> None:
    with parts.begin() as session:
        builders.subscription(session, payer(session), [], started_at=at(4, 2))
        builders.subscription(
            session, payer(session), [], started_at=at(1, 31), paid_through=at(4, 2), next_due_at=at(4, 30)
        )

    assert accused(parts) == []


def test_the_next_due_moment_of_a_subscription_that_ends_in_its_period_is_that_end(parts: Parts) -> None:
    with parts.begin() as session:
        of = builders.subscription(session, payer(session), [], started_at=at(3, 10), cancel_at=at(4, 3))
        recorded(session, of, 0, at(3, 10), at(4, 10))
        of.next_due_at = at(4, 3)

    assert accused(parts) == []


def test_who_cancels_at_the_moment_of_a_boundary_cancels_in_the_period_that_begins_there(parts: Parts) -> None:
    with parts.begin() as session:
        of = builders.subscription(session, payer(session), [], started_at=at(3, 10))
        session.execute(text("SET LOCAL session_replication_role = replica"))
        recorded(session, of, 0, at(3, 10), at(4, 10), disposition="billed", invoice_id=new_id())
        of.status, of.next_due_at, of.ended_at = "canceled", None, at(3, 10)

    assert run(parts, codes=["R3"]).violations == ()


def test_so_does_who_cancels_at_that_moment_while_issuing_is_stopped(parts: Parts) -> None:
    with parts.begin() as session:
        of = builders.subscription(session, payer(session), [], started_at=at(3, 10))
        session.execute(text("SET LOCAL session_replication_role = replica"))
        recorded(session, of, 0, at(3, 10), at(4, 10), disposition="billed", invoice_id=new_id())
        of.cancel_at = of.next_due_at = at(3, 10)

    assert run(parts, codes=["R3"]).violations == ()
