"""Receiving: a delivery is verified, and stored once before its 2xx; a list of events comes in by the same way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.key.obtain import inbox_key
from billing.commands.provider_event.store import store
from billing.db.clock import wall_now
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.kernel.failpoints import failpoint
from billing.models import ProviderAccount
from billing.providers.port import EventFacts, Provider
from billing.queue.buffer import after_commit
from billing.queue.names import INBOX_PROCESS


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
            stored = iter(keep(parts, session, provider=provider, code=code, events=good))
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
    parts: Parts, session: Session, *, provider: str, code: str, events: Sequence[tuple[EventFacts, bytes]]
) -> list[UUID | Refused | None]:
    """Store what the provider told, by a delivery or in its list: each one's id, None where it was here, or why not.

    Refused: `unknown_account`, `wrong_mode`.
    """
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
