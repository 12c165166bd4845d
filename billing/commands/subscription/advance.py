"""Advance: write billing periods and move each renewed subscription to its next due moment, in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.revenue.stop import stop_recognition
from billing.commands.subscription.items import replace_items
from billing.commands.subscription.planned import Advance, RecordedPeriod, Turned
from billing.db.copy import array, copy_rows, id_array, instant, instants, reference
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
        status = a.status, coupon_used = a.coupon_used,
        cancel_at = a.cancel_at, ended_at = a.ended_at,
        expires_at = CASE WHEN a.status = 'incomplete' THEN s.expires_at END,
        paused_at = CASE WHEN a.ended_at IS NULL THEN s.paused_at END,
        scheduled_items = CASE WHEN a.ended_at IS NULL THEN s.scheduled_items END,
        version = s.version + 1, updated_at = clock_timestamp()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:nos AS int[]), CAST(:dues AS timestamptz[]), CAST(:starts AS timestamptz[]),
                CAST(:ends AS timestamptz[]), CAST(:statuses AS text[]), CAST(:used AS int[]),
                CAST(:cancels AS timestamptz[]), CAST(:overs AS timestamptz[]))
         AS a(id, next_period_no, next_due, starts, ends, status, coupon_used, cancel_at, ended_at)
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
            f"{id_.hex}\t{recorded.seller_id.hex}\t{recorded.subscription_id.hex}\t{recorded.anchor_no}"
            f"\t{recorded.period_no}\t{instant(recorded.span.start)}\t{instant(recorded.span.end)}"
            f"\t{recorded.disposition}\t{reference(recorded.invoice_id)}"
            for id_, recorded in zip(new_ids(len(periods)), periods, strict=True)
        ),
    )


_CUT = text(
    """
    UPDATE billing.billing_period p SET cut_at = c.at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:anchors AS int[]), CAST(:nos AS int[]), CAST(:ats AS timestamptz[]))
         AS c(id, anchor_no, period_no, at)
    WHERE p.subscription_id = c.id AND p.anchor_no = c.anchor_no AND p.period_no = c.period_no AND p.ends_at > c.at
    """
)


def cut_periods(session: Session, cuts: Sequence[tuple[UUID, int, int, datetime]]) -> None:
    """Note where a new anchor or an end cut periods short. One that has run to its end is left as it is."""
    if cuts:
        subscriptions, anchors, nos, ats = (array(column) for column in zip(*cuts, strict=True))
        session.execute(_CUT, {"ids": subscriptions, "anchors": anchors, "nos": nos, "ats": ats})


def advance(session: Session, advances: Sequence[Advance], *, now: datetime) -> None:
    """Move the subscriptions on; end those that end. Raises `Stale` where a row is gone."""
    written = session.execute(
        _ADVANCE,
        {
            "ids": id_array(each.subscription_id for each in advances),
            "nos": array(each.next_period_no for each in advances),
            "dues": instants(each.next_due for each in advances),
            "starts": instants(each.current.start if each.current else None for each in advances),
            "ends": instants(each.current.end if each.current else None for each in advances),
            "statuses": array(each.status for each in advances),
            "used": array(each.coupon_used for each in advances),
            "cancels": instants(each.cancel_at for each in advances),
            "overs": instants(each.ended_at for each in advances),
        },
    )
    if written.rowcount != len(advances):  # type: ignore[attr-defined]
        raise Stale("a subscription of the slice is gone")
    stop_recognition(
        session, [(each.subscription_id, each.ended_at) for each in advances if each.ended_at is not None], now=now
    )
    for each in advances:
        if each.turned is not None:
            turn(session, each.seller_id, each.subscription_id, each.turned)
    emit_many(
        session,
        topic=Topic.SUBSCRIPTION_ACTIVE,
        object_type="subscription",
        now=now,
        events=[
            (each.seller_id, each.subscription_id, f'{{"subscription_id":"{each.subscription_id}"}}')
            for each in advances
            if each.begins
        ],
    )
    emit_many(
        session,
        topic=Topic.SUBSCRIPTION_CANCELED,
        object_type="subscription",
        now=now,
        events=[
            (each.seller_id, each.subscription_id, f'{{"profile_id":"{each.profile_id}"}}')
            for each in advances
            if each.ended_at is not None
        ],
    )


_TURN = text(
    """
    UPDATE billing.subscription
    SET anchor_at = :at, anchor_no = :no, interval_unit = :unit, interval_count = :count, scheduled_items = NULL
    WHERE id = :id
    """
)


def turn(session: Session, seller_id: UUID, subscription_id: UUID, turned: Turned) -> None:
    """New items, and where their interval is another, the new anchor."""
    session.execute(
        _TURN,
        {
            "id": subscription_id,
            "at": turned.anchor_at,
            "no": turned.anchor_no,
            "unit": turned.interval.unit,
            "count": turned.interval.count,
        },
    )
    replace_items(session, seller_id=seller_id, subscription_id=subscription_id, items=turned.items, at=turned.at)
