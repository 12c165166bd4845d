"""A tick gives each step its turn, and accrual each seller, whatever became of those before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from celery import current_app
from sqlalchemy import select

import billing.tasks  # noqa: F401 (registers them)
from billing.commands.accrual.accrue import accrue_usage
from billing.commands.seller.create import create_seller
from billing.flows import accrual
from billing.flows.in_turn import each_in_turn
from billing.models import Seller
from billing.queue.names import BOOKS_TICK, RENEWALS_TICK, UPKEEP_TICK, TaskName
from billing.validators.seller import NewSeller
from tests.flows.company import START, Company

STEPS = {
    BOOKS_TICK: ("recognition.recognise_due", "accrual.accrue_due", "movements.sweep"),
    RENEWALS_TICK: ("renewal.plan", "incomplete.part_with", "drafts.sweep", "incomplete.sweep"),
    UPKEEP_TICK: (
        "upkeep.wake_slices", "upkeep.close_gone_work", "second_person.expire", "indexing.index_emails",
        "retention.forget",
    ),
}  # fmt: skip


@pytest.mark.parametrize("tick", STEPS, ids=lambda tick: tick.name)
def test_a_step_that_fails_keeps_no_other_of_its_tick_from_its_turn(
    acme: Company, monkeypatch: pytest.MonkeyPatch, tick: TaskName
) -> None:
    ran = list[str]()

    def step(name: str) -> Any:
        def run(*_: object, **__: object) -> int:
            ran.append(name)
            raise ValueError(name)

        return run

    for name in STEPS[tick]:
        monkeypatch.setattr(f"billing.flows.{name}", step(name))
    with pytest.raises(ExceptionGroup) as failed:
        current_app.tasks[tick.name].run.__wrapped__(acme.parts)
    assert tuple(ran) == STEPS[tick]
    assert tuple(str(fault) for fault in failed.value.exceptions) == STEPS[tick]


def test_one_seller_whose_usage_cannot_be_accrued_keeps_no_other_from_it(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = NewSeller(code="NORD", legal_name="Nordlicht GmbH", country="DE", currency="eur")
    with acme.parts.begin() as session:
        create_seller(session, new=new, actor="test", reason="a second one", now=START)
    acme.set_clock(datetime(2026, 2, 3, tzinfo=UTC))

    def not_of_one(session: Any, *, seller_id: UUID, **named: Any) -> UUID | None:
        if seller_id == acme.seller_id:
            raise ValueError("data of one seller")
        return accrue_usage(session, seller_id=seller_id, **named)

    monkeypatch.setattr(accrual, "accrue_usage", not_of_one)
    with pytest.raises(ValueError, match="data of one seller"):
        accrual.accrue_due(acme.parts)
    with acme.begin() as session:
        reached = {seller.code: seller.usage_accrued_to for seller in session.scalars(select(Seller))}
    assert reached == {"ACME": None, "NORD": datetime(2026, 2, 1, tzinfo=UTC).date()}


def test_a_fault_alone_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        each_in_turn([lambda: 1 // 0, lambda: None], failed="some")
