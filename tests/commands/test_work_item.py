"""Work items: one live item a cause, counted, and closed once."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.work_item.close import close_for, close_item
from billing.commands.work_item.raise_item import raise_item
from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.kernel.status import WorkItemStatus
from billing.models import WorkItem


def _raise(session: Session, subject: UUID, now: datetime, error: str = "timeout") -> WorkItem:
    return raise_item(
        session,
        kind="payment_unknown",
        subject_type="payment",
        subject_id=subject,
        summary="The outcome of a charge is not known.",
        safe_actions=["retry"],
        amount_minor=1000,
        currency="eur",
        error=error,
        now=now,
    )


def test_a_second_occurrence_counts_on_the_live_item(session: Session, now: datetime) -> None:
    subject = new_id()
    first = _raise(session, subject, now)
    second = _raise(session, subject, now + timedelta(hours=1), error="reset")
    assert second.id == first.id
    assert (second.tries, second.error, second.seen_at) == (2, "reset", now + timedelta(hours=1))
    assert second.version == 2


def test_a_parked_item_stays_parked_when_its_cause_occurs_again(session: Session, now: datetime) -> None:
    subject = new_id()
    close_item(session, item=_raise(session, subject, now), status=WorkItemStatus.RESOLVED, now=now)
    item = _raise(session, subject, now)
    item.status = WorkItemStatus.PARKED
    session.flush()
    assert _raise(session, subject, now).status == WorkItemStatus.PARKED
    assert len(session.scalars(select(WorkItem)).all()) == 2


def test_an_item_whose_cause_is_gone_is_resolved_once(session: Session, now: datetime) -> None:
    subject = new_id()
    item = _raise(session, subject, now)
    assert close_for(session, kind="payment_unknown", subject_id=subject, now=now)
    assert not close_for(session, kind="payment_unknown", subject_id=subject, now=now)
    assert (item.status, item.closed_at) == (WorkItemStatus.RESOLVED, now)


def test_a_closed_item_is_not_closed_again(session: Session, now: datetime) -> None:
    item = _raise(session, new_id(), now)
    close_item(session, item=item, status=WorkItemStatus.DISCARDED, now=now)
    with pytest.raises(Refused) as refusal:
        close_item(session, item=item, status=WorkItemStatus.RESOLVED, now=now)
    assert refusal.value.code == "work_item_move_not_allowed"
