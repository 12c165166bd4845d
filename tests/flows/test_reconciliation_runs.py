"""A run of the comparison is a job: begun once, taken up where it stood, left alone in other hands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from billing.commands.reconciliation.run import begin_run
from billing.flows import healing, reconciliation
from billing.kernel import failpoints
from billing.kernel.errors import Stale
from billing.models import ProviderAccount, Reconciliation
from tests.flows.company import START, Company
from tests.flows.comparing import compare, paid_customer


@pytest.fixture
def paid(acme: Company) -> UUID:
    return paid_customer(acme)


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.delenv("BILLING_FAILPOINTS", raising=False)
    failpoints.read_environment()


def test_of_two_who_begin_to_compare_an_account_the_later_one_is_told_so(acme: Company, paid: UUID) -> None:
    with acme.parts.begin() as session:
        account = session.scalars(select(ProviderAccount.id)).one()
        run = {"account_id": account, "cause": "daily", "from_at": START, "to_at": START + timedelta(days=1)}
        begin_run(session, **run)
    with pytest.raises(Stale), acme.parts.begin() as session:
        begin_run(session, **run)
    assert reconciliation.tick(acme.parts) == 1


def test_a_killed_run_goes_on_where_it_stood(acme: Company, paid: UUID, dying: pytest.MonkeyPatch) -> None:
    dying.setenv("BILLING_FAILPOINTS", "reconcile.window=raise@2")
    failpoints.read_environment()
    with pytest.raises(failpoints.FailpointError):
        compare(acme)
    with acme.begin() as session:
        (run,) = session.scalars(select(Reconciliation)).all()
    assert run.from_at < run.reached_at < run.to_at
    dying.delenv("BILLING_FAILPOINTS")
    failpoints.read_environment()
    reconciliation.tick(acme.parts)
    with acme.begin() as session:
        (done,) = session.scalars(select(Reconciliation)).all()
    assert (done.id, done.status, done.reached_at) == (run.id, "done", run.to_at)


def test_a_window_that_is_too_full_is_compared_in_narrower_ones_however_little_time_there_is(
    acme: Company, paid: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a first hour that takes longer than a task may would be begun anew each time, and nothing ever compared."""
    acme.set_clock(START + timedelta(days=1))
    monkeypatch.setattr(reconciliation, "PACE", replace(reconciliation.PACE, many=2))
    assert reconciliation.tick(acme.parts, budget_s=0) == 1
    with acme.begin() as session:
        begun = session.scalars(select(Reconciliation)).one()
    assert begun.reached_at - begun.from_at == reconciliation.PACE.narrow
    assert reconciliation.tick(acme.parts) == 1
    with acme.begin() as session:
        run = session.scalars(select(Reconciliation)).one()
    assert (run.status, run.reached_at, run.differences) == ("done", run.to_at, 0)
    assert run.charges > 0


def test_a_run_in_other_hands_is_left_alone(acme: Company, paid: UUID) -> None:
    compare(acme)
    with acme.parts.begin() as session:
        session.execute(
            text(
                "UPDATE billing.reconciliation SET status = 'running', reached_at = from_at,"
                " lease_until = clock_timestamp() + interval '1 minute'"
            )
        )
    with pytest.raises(Stale):
        reconciliation.reconcile(acme.parts)
    assert reconciliation.tick(acme.parts) == 0


def test_the_tick_compares_once_a_day(acme: Company, paid: UUID) -> None:
    for hours in (1, 24, 25, 47, 49):
        acme.set_clock(START + timedelta(hours=hours))
        healing.tick(acme.parts)
    with acme.begin() as session:
        assert session.scalar(select(func.count()).select_from(Reconciliation)) == 2
    assert acme.work_items() == []


def test_what_lies_between_the_last_run_and_a_later_order_is_compared_by_the_next_days_run(
    acme: Company, paid: UUID
) -> None:
    """After two months without a worker somebody asks of yesterday alone: what came before is not forgotten for it."""
    acme.set_clock(START + timedelta(days=2))
    assert reconciliation.tick(acme.parts) == 1
    acme.set_clock(START + timedelta(days=60))
    reconciliation.reconcile(acme.parts, since=START + timedelta(days=59))
    for days in (62, 64):
        acme.set_clock(START + timedelta(days=days))
        assert reconciliation.tick(acme.parts) == 1
    with acme.begin() as session:
        runs = session.scalars(select(Reconciliation).order_by(Reconciliation.to_at)).all()
    first, asked, whole, daily = runs
    assert whole.from_at == first.to_at - reconciliation.OVERLAP
    assert asked.from_at == START + timedelta(days=59)
    assert daily.from_at == whole.to_at - reconciliation.OVERLAP
