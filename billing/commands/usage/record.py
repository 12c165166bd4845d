"""Record usage in bulk: every record is placed once, in a period or in none, and a repeat changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.bulk import insert_rows
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_ids
from billing.kernel.status import SubscriptionStatus
from billing.models import UsageRecord
from billing.queries.metering import MeteredItem, Meters, Told, known_records, load_meters
from billing.rules.usage import Placed, UsageKind, place
from billing.validators.usage import NewUsage, check_new_usage

_OVER = (SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED)


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many records were written and how many were there before; `late` ones are written and change nothing.

    `differing`: places in the batch, from 1, of the repeats that say another price, quantity or time than what is kept.
    """

    written: int
    repeated: int
    late: int
    differing: tuple[int, ...] = ()


def record_usage(
    session: Session,
    *,
    seller_id: UUID,
    new: Sequence[NewUsage],
    now: datetime,
    tried: Mapping[tuple[str, str], NewUsage] = MappingProxyType({}),
) -> Recorded:
    """Write a batch, all or nothing; its size makes no more statements. An id that is there already is ignored.

    `tried`: records by subscription and id that a dry run has written and taken back; they count as there.

    Raises `Refused` with every fault, named `records.N.field`: those of `check_new_usage`, `subscription_not_found`,
    `subscription_canceled`, `price_not_subscribed`, `usage_in_future`, `usage_before_start`.
    """
    check_new_usage(new)
    meters = load_meters(
        session,
        seller_id=seller_id,
        codes={each.subscription for each in new},
        records=[(each.subscription, each.record_id) for each in new],
    )
    rows, faults, told = [], [], _told(new, meters, tried, now)
    for number, each in enumerate(new, start=1):
        subscription = meters.subscriptions.get(each.subscription)
        if subscription is None:
            mend = f"no subscription has the code {each.subscription}"
            faults.append(Fault(f"records.{number}.subscription", "subscription_not_found", mend))
            continue
        key = (subscription.id, each.record_id)
        if key in told:
            continue
        if subscription.status in _OVER:
            faults.append(Fault(f"records.{number}.subscription", "subscription_canceled", "it is over"))
            continue
        item = meters.items.get((subscription.id, each.price_code))
        if item is None:
            mend = f"{each.price_code} is no metered price of this subscription"
            faults.append(Fault(f"records.{number}.price", "price_not_subscribed", mend))
            continue
        try:
            placed = _placed(each, subscription, item, meters, now)
        except Refused as refusal:
            faults += [Fault(f"records.{number}.{one.field}", one.code, one.mend) for one in refusal.faults]
            continue
        told[key] = Told(each.price_code, each.quantity, each.used_at or now)
        rows.append(
            {
                "seller_id": seller_id,
                "subscription_id": subscription.id,
                "price_id": item.price_id,
                "record_id": each.record_id,
                "quantity": each.quantity,
                "used_at": each.used_at or now,
                "counts_at": placed.counts_at,
                "late": placed.late,
            }
        )
    if faults:
        raise Refused(faults)
    named = [{"id": id_, **row} for id_, row in zip(new_ids(len(rows)), rows, strict=True)]
    # In one order, so that two calls with the same records never wait for each other.
    named.sort(key=lambda row: (row["subscription_id"], row["record_id"]))
    written = insert_rows(
        session,
        UsageRecord,
        named,
        unless_taken=("subscription_id", "record_id"),
        returning=("late",),
    )
    if len(written) < len(rows):  # Another call wrote some of them meanwhile.
        told |= known_records(session, [(row["subscription_id"], row["record_id"]) for row in rows])
    keys = [(meters.subscriptions[each.subscription].id, each.record_id) for each in new]
    differing = [place for place, (key, each) in enumerate(zip(keys, new, strict=True), 1) if _differs(each, told[key])]
    late = sum(row.late for row in written)
    return Recorded(len(written), len(new) - len(written), late, tuple(differing))


def _told(
    new: Sequence[NewUsage], meters: Meters, tried: Mapping[tuple[str, str], NewUsage], now: datetime
) -> dict[tuple[UUID, str], Told]:
    """What the records of these ids say already, kept or tried."""
    before = (tried.get((each.subscription, each.record_id)) for each in new)
    told = {
        (meters.subscriptions[each.subscription].id, each.record_id): Told(
            each.price_code, each.quantity, each.used_at or now
        )
        for each in before
        if each is not None
    }
    return told | dict(meters.known)


def _differs(new: NewUsage, told: Told) -> bool:
    used_at = new.used_at or told.used_at
    return Told(new.price_code, new.quantity, used_at) != told


def _placed(new: NewUsage, row: Any, item: MeteredItem, meters: Meters, now: datetime) -> Placed:
    return place(
        UsageKind(item.kind),
        at=new.used_at or now,
        now=now,
        started_at=row.started_at,
        running_start=row.current_period_start or row.started_at,
        counts_from=item.counts_from,
        past=meters.past.get((row.id, item.price_id), ()),
        waits_from=item.waits_from,
        trial_end=row.trial_end,
        paid_through=row.paid_through,
        # A pause that runs may end at this very moment, and is then over: billing leaves out what it does cover.
        pauses=[(start, end or now) for start, end in meters.pauses.get(row.id, ())],
    )
