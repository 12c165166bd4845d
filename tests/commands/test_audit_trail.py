"""The audit trail says who and why, or nothing is done."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from billing.commands.audit_trail.record import record
from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.models import AuditRecord


@pytest.mark.parametrize("nothing", ["", " ", "\u200b\u2060", "\u00ad", "\u3164", "\u2800 \ufeff"])
def test_an_action_without_a_name_and_a_reason_is_refused_with_both_faults(
    session: Session, now: datetime, nothing: str
) -> None:
    """Also where there are signs and none of them shows."""
    with pytest.raises(Refused) as refusal:
        record(
            session,
            actor=nothing,
            action="work.retry",
            reason=nothing,
            subject_type="work_item",
            subject_id=new_id(),
            now=now,
        )
    assert [fault.code for fault in refusal.value.faults] == ["actor_missing", "reason_missing"]


def test_a_written_action_is_never_changed(session: Session, now: datetime) -> None:
    record(
        session,
        actor="ops",
        action="work.retry",
        reason="the bank is back",
        subject_type="work_item",
        subject_id=new_id(),
        now=now,
        before={"status": "open"},
    )
    with pytest.raises(IntegrityError, match="never changed"):
        session.execute(update(AuditRecord).values(reason="another"))
