"""Inbox: a delivery is stored once before its 2xx; handling re-reads the object and settles, in any order."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.key.obtain import inbox_key
from billing.commands.provider_event.claim import ClaimedEvent, claim, close, close_settled, wake
from billing.commands.provider_event.store import store
from billing.commands.work_item.raise_item import raise_item
from billing.db.clock import wall_now
from billing.flows.dispute_events import dispute, fraud_warning
from billing.flows.method_events import payment_method
from billing.flows.parts import Parts
from billing.flows.payment_events import payment_intent
from billing.flows.payout_events import payout
from billing.flows.refund_events import refund
from billing.flows.setup_events import setup_intent
from billing.kernel.errors import Fault, NoPermit, ProviderUnavailable, Refused, Stale
from billing.kernel.failpoints import failpoint
from billing.kernel.status import EventStatus
from billing.kernel.work import WorkKind
from billing.models import ProviderAccount
from billing.privacy.redaction import redact_error
from billing.providers.port import EventFacts, Provider
from billing.queue.buffer import after_commit
from billing.queue.names import INBOX_PROCESS

_log = structlog.get_logger(__name__)

MOST_TRIES = 8
"""A handler that fails so often is a person's work; the event stays and can be replayed."""

TOGETHER = 100
"""So many events of a sweep travel in one message."""

HANDLERS = {
    "payment_intent.succeeded": payment_intent,
    "payment_intent.payment_failed": payment_intent,
    "payment_intent.processing": payment_intent,
    "payment_intent.canceled": payment_intent,
    "payment_intent.requires_action": payment_intent,
    "setup_intent.succeeded": setup_intent,
    "payment_method.automatically_updated": payment_method,
    "payment_method.updated": payment_method,
    "refund.updated": refund,
    "refund.failed": refund,
    "payout.created": payout,
    "payout.updated": payout,
    "payout.paid": payout,
    "payout.failed": payout,
    "payout.canceled": payout,
    "charge.dispute.created": dispute,
    "charge.dispute.updated": dispute,
    "charge.dispute.closed": dispute,
    "charge.dispute.funds_withdrawn": dispute,
    "charge.dispute.funds_reinstated": dispute,
    "radar.early_fraud_warning.created": fraud_warning,
    "radar.early_fraud_warning.updated": fraud_warning,
}
"""By event type; the endpoint subscribes to these. Other types are kept and ignored."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as it arrived."""

    raw: bytes
    signature: str


def receive(parts: Parts, *, provider: str, code: str, raw: bytes, signature: str) -> bool:
    """Verify and store one delivery; False where it was here already. What returns is committed: answer 2xx.

    Raises `Refused`: `no_secret` (closed), `bad_signature`, `stale_signature`, `bad_event`, `wrong_mode`,
    `unknown_account`.
    """
    (received,) = receive_all(parts, provider=provider, code=code, deliveries=[Delivery(raw, signature)])
    if isinstance(received, Refused):
        raise received
    return received


def receive_all(parts: Parts, *, provider: str, code: str, deliveries: Sequence[Delivery]) -> list[bool | Refused]:
    """The same for many deliveries to one account, in one transaction: each is stored or refused by itself."""
    if not deliveries:
        return []
    adapter, secrets = parts.provider_for(provider, code), parts.settings.webhook_secrets(code)
    with parts.begin() as session:
        wall = wall_now(session)
        verified = [_verified(adapter, each, secrets, wall) for each in deliveries]
        good = [
            (facts, each.raw) for facts, each in zip(verified, deliveries, strict=True) if isinstance(facts, EventFacts)
        ]
        stored: Iterator[UUID | Refused | None] = iter(())
        if good:
            stored = iter(_store(parts, session, provider, code, good))
        received = [each if isinstance(each, Refused) else next(stored) for each in verified]
        new = [each for each in received if isinstance(each, UUID)]
        if new:
            after_commit(session, INBOX_PROCESS, *new)
        failpoint("hook.pre_commit")
    failpoint("hook.committed")
    return [each if isinstance(each, Refused) else each is not None for each in received]


def _verified(adapter: Provider, each: Delivery, secrets: list[str], wall: datetime) -> EventFacts | Refused:
    try:
        return adapter.verify_event(raw=each.raw, signature=each.signature, secrets=secrets, wall_now=wall)
    except Refused as refused:
        return refused


def _store(
    parts: Parts, session: Session, provider: str, code: str, events: Sequence[tuple[EventFacts, bytes]]
) -> list[UUID | Refused | None]:
    account = session.scalars(select(ProviderAccount).filter_by(provider=provider, code=code)).one_or_none()
    if account is None:
        mend = f"start a worker once with the key of {provider} {code}"
        return [Refused(Fault("account", "unknown_account", mend)) for _ in events]
    key = inbox_key(session, parts.keyring, provider_account_id=account.id)
    ours = [each for each in events if each[0].livemode == account.livemode]
    stored = iter(store(session, account_id=account.id, events=ours, key=key, grace_s=parts.settings.lease_s))
    mend = "send live events to a live endpoint, test events to a test one"
    return [
        next(stored) if facts.livemode == account.livemode else Refused(Fault("livemode", "wrong_mode", mend))
        for facts, _ in events
    ]


def process(parts: Parts, event_id: UUID) -> EventStatus | None:
    """Handle one stored event. None where it is handled already or in other hands. May run twice, or die anywhere."""
    return process_all(parts, event_id).get(event_id)


def process_all(parts: Parts, *events: UUID) -> dict[UUID, EventStatus | None]:
    """Handle stored events; those that tell what our rows show already are closed together, the others one by one.

    Returns what became of those that were neither handled already nor in other hands; None: others took it meanwhile.
    """
    with parts.begin() as session:
        now = parts.clock.now(session)
        known = close_settled(session, events, types=HANDLERS, now=now)
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
    handler = HANDLERS.get(claimed.type)
    if handler is None:
        return _close(parts, claimed, EventStatus.IGNORED)
    if claimed.tries > MOST_TRIES:
        return _bury(parts, claimed, error="its worker died each time", trace=None)
    try:
        return handler(parts, claimed)
    except Stale as late:
        _log.info("event_stale", provider_event=str(claimed.id), reason=str(late))
        return None
    except NoPermit as none:
        # The provider is left alone, or others go first: the event waits, and no try is used up.
        with parts.begin() as session:
            again_s = max(none.retry_after_s or 0.0, parts.settings.back_off_s[0])
            close(session, claimed, status=EventStatus.RECEIVED, error=str(none), again_s=again_s, untried=True)
        return EventStatus.RECEIVED
    except ProviderUnavailable as later:
        return _put_back(parts, claimed, error=str(later), wish_s=later.retry_after_s)
    except Exception as error:  # noqa: BLE001 (a handler's fault of any kind is tried again, then becomes work)
        if claimed.tries < MOST_TRIES:
            return _put_back(parts, claimed, error=redact_error(error), wish_s=None)
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


def _put_back(parts: Parts, claimed: ClaimedEvent, *, error: str, wish_s: float | None) -> EventStatus:
    steps = parts.settings.back_off_s
    pause_s = max(steps[min(claimed.tries - 1, len(steps) - 1)], wish_s or 0.0)
    with parts.begin() as session:
        close(session, claimed, status=EventStatus.RECEIVED, error=error, again_s=pause_s)
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
