"""Retention (DECISIONS 39): what is older than its setting is forgotten, in small batches, oldest first.

A tick takes so many batches and leaves the rest for the next one: a backlog of years never holds a lock for long. What
a provider is still to forget of removed payment methods belongs here too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from billing.commands.delivery.purge import purge_events
from billing.commands.retention.blank_bodies import blank_bodies
from billing.commands.retention.delete_notices import delete_notices
from billing.commands.retention.delete_orders import delete_orders
from billing.commands.retention.delete_work_items import delete_work_items
from billing.flows import detaching, entering, upkeep
from billing.flows.parts import Parts

BATCH = 500
BATCHES = 20


def forget(parts: Parts) -> dict[str, int]:
    """One round of all that is purged. Returns how many rows of each; a fault of one keeps no other from its turn."""
    settings, faults = parts.settings, list[Exception]()
    work: dict[str, Callable[[], int]] = {
        "event_bodies": lambda: _old(parts, blank_bodies, days=settings.billing_event_body_days),
        "work_items": lambda: _old(parts, delete_work_items, days=settings.billing_work_item_days),
        "orders": lambda: _orders(parts),
        "notices": lambda: _old(parts, delete_notices, days=settings.billing_notice_days),
        "outbox": lambda: _outbox(parts),
        "api_answers": lambda: upkeep.forget_answers(parts),
        "logins": lambda: entering.purge(parts),
        "removed_methods": lambda: detaching.sweep(parts),
    }
    gone = {}
    for name, purge in work.items():
        try:
            gone[name] = purge()
        except Exception as fault:  # noqa: BLE001 (raised below, when the others have had their turn)
            faults.append(fault)
    if faults:
        raise ExceptionGroup("some of it could not be forgotten", faults)
    return gone


def _old(parts: Parts, purge: Callable[..., int], *, days: int) -> int:
    def batch(session: Session) -> int:
        before: datetime = parts.clock.now(session) - timedelta(days=days)
        return purge(session, before=before, most=BATCH)

    return _in_batches(parts, batch, until=BATCH)


def _orders(parts: Parts) -> int:
    days = parts.settings.billing_work_item_days
    return _in_batches(parts, lambda session: delete_orders(session, days=days, most=BATCH), until=BATCH)


def _outbox(parts: Parts) -> int:
    days = parts.settings.billing_outbox_days
    return _in_batches(parts, lambda session: purge_events(session, days=days, most=BATCH), until=1)


def _in_batches(parts: Parts, batch: Callable[[Session], int], *, until: int) -> int:
    """A transaction each, until one does less than `until`."""
    gone = 0
    for _ in range(BATCHES):
        with parts.begin() as session:
            count = batch(session)
        gone += count
        if count < until:
            break
    return gone
