"""Subscribing: the subscription and its first invoice are one transaction; the charge is nudged after commit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.invoice.issue import Issued
from billing.commands.subscription.subscribe import subscribe as write_subscription
from billing.flows.parts import Parts
from billing.flows.renewal import bill_profiles
from billing.validators.subscription import NewSubscription


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The subscription, and what it was billed for at once: nothing where its start lies ahead."""

    subscription_id: UUID
    invoices: tuple[Issued, ...]


def subscribe(parts: Parts, *, seller_id: UUID, new: NewSubscription) -> Subscribed:
    """Subscribe, and bill what is due of it now; the caller never waits for the charge (DECISIONS 37).

    Raises `Refused`: those of `commands.subscription.subscribe`; then nothing is written.
    """
    (made,) = subscribe_all(parts, seller_id=seller_id, new=[new])
    return made


def subscribe_all(parts: Parts, *, seller_id: UUID, new: Sequence[NewSubscription]) -> list[Subscribed]:
    """The same for many, of different customers, in one transaction: all of them, or none."""
    with parts.begin() as session:
        return subscribe_within(parts, session, seller_id=seller_id, new=new)


def subscribe_within(
    parts: Parts, session: Session, *, seller_id: UUID, new: Sequence[NewSubscription]
) -> list[Subscribed]:
    """As `subscribe_all`, in the caller's transaction."""
    now = parts.clock.now(session)
    rows = [write_subscription(session, seller_id=seller_id, new=each, now=now) for each in new]
    session.flush()
    issued = bill_profiles(parts, session, profiles=[row.profile_id for row in rows], only=[row.id for row in rows])
    by_profile = defaultdict(list)
    for each in issued:
        by_profile[each.profile_id].append(each)
    return [Subscribed(row.id, tuple(by_profile[row.profile_id])) for row in rows]
