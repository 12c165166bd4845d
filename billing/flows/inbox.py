"""Inbox: a stored event is handled once, in any order: its handler re-reads the object and settles."""

from __future__ import annotations

import traceback
from uuid import UUID

import structlog

from billing.commands.provider_event.claim import ClaimedEvent, claim, close, close_settled, wake
from billing.commands.work_item.raise_item import raise_item
from billing.flows.handlers import BY_TYPE
from billing.flows.parts import Parts
from billing.flows.restoring import NotHealed
from billing.kernel.errors import BillingError, NoPermit, ProviderUnavailable, ProviderUnreadable, Stale
from billing.kernel.failpoints import failpoint
from billing.kernel.status import EventStatus
from billing.kernel.work import WorkKind
from billing.privacy.redaction import redact_error
from billing.queries.same_database import NotReconciled
from billing.queue.buffer import after_commit
from billing.queue.names import INBOX_PROCESS

_log = structlog.get_logger(__name__)

MOST_TRIES = 8
"""A handler that fails so often is a person's work; the event stays and can be replayed."""

_LONGER = 1.1
"""The next pause exceeds the last by this factor at least: the last is read from two clock readings a moment apart."""

TOGETHER = 100
"""So many events of a sweep travel in one message."""


def process_all(parts: Parts, *events: UUID) -> dict[UUID, EventStatus | None]:
    """Handle stored events; those that tell what our rows show already are closed together, the others one by one.

    Returns what became of those that were neither handled already nor in other hands; None: others took it meanwhile.
    """
    with parts.begin() as session:
        now = parts.clock.now(session)
        known = close_settled(session, events, types=BY_TYPE, now=now)
    handled: dict[UUID, EventStatus | None] = dict.fromkeys(known, EventStatus.PROCESSED)
    for event in dict.fromkeys(events):
        if event in known:
            continue
        # Each is claimed when its turn comes: one that kills its worker takes no other's try along.
        with parts.begin() as session:
            claimed = claim(session, [event], lease_s=parts.settings.lease_s)
        failpoint("event.claimed")
        handled |= {each.id: _handle(parts, each) for each in claimed}
    return handled


def _handle(parts: Parts, claimed: ClaimedEvent) -> EventStatus | None:
    handler = BY_TYPE.get(claimed.type)
    if handler is None:
        return _close(parts, claimed, EventStatus.IGNORED)
    if claimed.tries > MOST_TRIES:
        return _bury(parts, claimed, error="its worker died each time", trace=None)
    try:
        return handler(parts, claimed)
    except (NotHealed, NotReconciled) as waits:
        # Nothing is wrong with the event, however long the database takes to be known as whole.
        return _wait(parts, claimed, waits, again_s=parts.settings.lease_s)
    except Stale as late:
        _log.info("event_stale", provider_event=str(claimed.id), reason=str(late))
        return None
    except NoPermit as none:
        # The provider is left alone, or others go first: the event waits, and no try is used up.
        return _wait(parts, claimed, none, again_s=max(none.retry_after_s or 0.0, parts.settings.back_off_s[0]))
    except ProviderUnreadable as odd:
        return _tried(parts, claimed, odd)
    except ProviderUnavailable as later:
        return _wait_for_provider(parts, claimed, later)
    except Exception as error:  # noqa: BLE001 (a handler's fault of any kind is tried again, then becomes work)
        return _tried(parts, claimed, error)


def _tried(parts: Parts, claimed: ClaimedEvent, error: Exception) -> EventStatus:
    """A try is used up: it is put back, or becomes work."""
    if claimed.tries < MOST_TRIES:
        return _put_back(parts, claimed, error=redact_error(error))
    return _bury(parts, claimed, error=redact_error(error), trace="".join(traceback.format_tb(error.__traceback__)))


def sweep(parts: Parts) -> int:
    """Nudge a worker for every event whose try is due, however its first nudge was lost. Returns their number."""
    with parts.begin() as session:
        events = wake(session, lease_s=parts.settings.lease_s, most=parts.settings.billing_plan_limit)
        for start in range(0, len(events), TOGETHER):
            after_commit(session, INBOX_PROCESS, *events[start : start + TOGETHER])
    return len(events)


def _close(parts: Parts, claimed: ClaimedEvent, status: EventStatus) -> EventStatus:
    with parts.begin() as session:
        close(session, claimed, status=status, now=parts.clock.now(session))
    return status


def _wait_for_provider(parts: Parts, claimed: ClaimedEvent, away: ProviderUnavailable) -> EventStatus:
    """Each outage that it meets makes it wait for longer, and uses up no try: nothing is wrong with the event."""
    steps = parts.settings.back_off_s
    longer_s = next((step for step in steps if step > _LONGER * claimed.paused_s), steps[-1])
    return _wait(parts, claimed, away, again_s=max(longer_s, away.retry_after_s or 0.0))


def _wait(parts: Parts, claimed: ClaimedEvent, why: BillingError, *, again_s: float) -> EventStatus:
    """Put it back; no try is used up."""
    with parts.begin() as session:
        close(session, claimed, status=EventStatus.RECEIVED, error=str(why), again_s=again_s, untried=True)
    return EventStatus.RECEIVED


def _put_back(parts: Parts, claimed: ClaimedEvent, *, error: str) -> EventStatus:
    steps = parts.settings.back_off_s
    again_s = steps[min(claimed.tries - 1, len(steps) - 1)]
    with parts.begin() as session:
        close(session, claimed, status=EventStatus.RECEIVED, error=error, again_s=again_s)
    return EventStatus.RECEIVED


def _bury(parts: Parts, claimed: ClaimedEvent, *, error: str, trace: str | None) -> EventStatus:
    with parts.begin() as session:
        now = parts.clock.now(session)
        close(session, claimed, status=EventStatus.DEAD, error=error, now=now)
        raise_item(
            session,
            kind=WorkKind.EVENT_NOT_HANDLED,
            subject_type="provider_event",
            subject_id=claimed.id,
            summary=f"A {claimed.type} from the provider could not be handled; it is kept and can be replayed.",
            error=error,
            trace=trace,
            safe_actions=["retry", "park", "discard"],
            now=now,
        )
    return EventStatus.DEAD
