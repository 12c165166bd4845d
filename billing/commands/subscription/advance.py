"""Advance: write billing periods and move each renewed subscription to its next due moment, in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.subscription.renew import Advance, RecordedPeriod
from billing.db.copy import NULL, array, copy_rows
from billing.events.bulk import emit_many
from billing.events.topics import Topic
from billing.kernel.errors import Stale
from billing.kernel.ids import new_ids

_PERIODS = (
    "id", "seller_id", "subscription_id", "anchor_no", "period_no", "starts_at", "ends_at", "disposition", "invoice_id",
)  # fmt: skip

_ADVANCE = text(
    """
    UPDATE billing.subscription s
    SET next_period_no = a.next_period_no, next_due_at = a.next_due,
        current_period_start = coalesce(a.starts, s.current_period_start),
        current_period_end = coalesce(a.ends, s.current_period_end),
        status = CASE WHEN a.over THEN 'canceled' ELSE s.status END,
        ended_at = CASE WHEN a.over THEN s.cancel_at ELSE s.ended_at END,
        version = s.version + 1, updated_at = clock_timestamp()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:nos AS int[]), CAST(:dues AS timestamptz[]), CAST(:starts AS timestamptz[]),
                CAST(:ends AS timestamptz[]), CAST(:over AS boolean[]))
         AS a(id, next_period_no, next_due, starts, ends, over)
    WHERE s.id = a.id
    """
)


def record_periods(session: Session, periods: Sequence[RecordedPeriod]) -> None:
    """Write the periods. A period that exists already breaks the transaction: it is billed once, by constraint."""
    copy_rows(
        session,
        "billing_period",
        _PERIODS,
        (
            f"{id_.hex}\t{recorded.seller_id.hex}\t{recorded.subscription_id.hex}\t{recorded.period.anchor_no}"
            f"\t{recorded.period.period_no}\t{recorded.period.start.isoformat()}\t{recorded.period.end.isoformat()}"
            f"\t{recorded.period.disposition}\t{recorded.invoice_id or NULL}"
            for id_, recorded in zip(new_ids(len(periods)), periods, strict=True)
        ),
    )


def advance(session: Session, advances: Sequence[Advance], *, now: datetime) -> None:
    """Move the subscriptions on. Those whose `cancel_at` has come end there. Raises `Stale` where a row is gone."""
    written = session.execute(
        _ADVANCE,
        {
            "ids": array(each.subscription_id for each in advances),
            "nos": array(each.next_period_no for each in advances),
            "dues": array(each.next_due for each in advances),
            "starts": array(each.current.start if each.current else None for each in advances),
            "ends": array(each.current.end if each.current else None for each in advances),
            "over": array(each.ends for each in advances),
        },
    )
    if written.rowcount != len(advances):  # type: ignore[attr-defined]
        raise Stale("a subscription of the slice is gone")
    emit_many(
        session,
        topic=Topic.SUBSCRIPTION_CANCELED,
        object_type="subscription",
        now=now,
        events=[
            (each.seller_id, each.subscription_id, f'{{"profile_id":"{each.profile_id}"}}')
            for each in advances
            if each.ends
        ],
    )
