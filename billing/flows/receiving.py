"""Receiving: a delivery is verified, and stored once before its 2xx; a list of events comes in by the same way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.key.obtain import inbox_key
from billing.commands.provider_event.store import store
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.kernel.failpoints import failpoint
from billing.providers.events import EventFacts
from billing.providers.port import Provider
from billing.queries.receiving import Receiving, receiving
from billing.queue.buffer import after_commit
from billing.queue.names import INBOX_PROCESS


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as it arrived."""

    raw: bytes
    signature: str


def receive_all(parts: Parts, *, provider: str, code: str, deliveries: Sequence[Delivery]) -> list[bool | Refused]:
    """Verify and store deliveries to one account in one transaction: each is new, was here (False), or is refused.

    What returns is committed: answer 2xx to those that are not refused. One is refused as the provider's `verify_event`
    raises, or with `unknown_account` or `wrong_mode`. Raises `Refused` (`provider_not_configured`).
    """
    if not deliveries:
        return []
    adapter = parts.provider_for(provider, code)
    secrets = parts.settings.webhook_secrets(code, provider=provider)
    adapter.get_ready((each.signature for each in deliveries), secrets=secrets, wall_now=datetime.now(UTC))
    with parts.begin() as session:
        known = receiving(session, provider=provider, code=code)
        verified = [_verified(adapter, each, secrets, known.wall_now) for each in deliveries]
        good = [
            (facts, each.raw) for facts, each in zip(verified, deliveries, strict=True) if isinstance(facts, EventFacts)
        ]
        stored: Iterator[UUID | Refused | None] = iter(())
        if good:
            stored = iter(keep(parts, session, known, events=good))
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


def keep(
    parts: Parts, session: Session, known: Receiving, *, events: Sequence[tuple[EventFacts, bytes]]
) -> list[UUID | Refused | None]:
    """Store what the provider told, by a delivery or in its list: each one's id, None where it was here, or why not.

    Refused: `unknown_account`, `wrong_mode`.
    """
    if known.account_id is None:
        mend = "start a worker once with the account's key"
        return [Refused(Fault("account", "unknown_account", mend)) for _ in events]
    if known.key_id is None or known.master_id is None or known.wrapped is None:
        key = inbox_key(session, parts.keyring, provider_account_id=known.account_id)
    else:
        key = parts.keyring.unwrap(master_id=known.master_id, wrapped=known.wrapped, row=known.key_id)
    ours = [each for each in events if each[0].livemode == known.livemode]
    stored = iter(store(session, account_id=known.account_id, events=ours, key=key, grace_s=parts.settings.lease_s))
    mend = "send live events to a live endpoint, test events to a test one"
    return [
        next(stored) if facts.livemode == known.livemode else Refused(Fault("livemode", "wrong_mode", mend))
        for facts, _ in events
    ]
