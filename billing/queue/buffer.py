"""After commit: messages wait in the session until its transaction is durable. A broker that is down loses nothing."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

import structlog
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from billing.queue.names import TaskName

_log = structlog.get_logger(__name__)
_WAITING = "billing.messages"
TRANSPORT = "billing.transport"
"""Key in `Session.info` under which wiring puts the transport."""

Message = tuple[TaskName, tuple[str, ...]]


class Transport(Protocol):
    """Carries messages to workers. Raising is allowed: the rows are the jobs, and a sweep finds them."""

    def send(self, messages: list[Message]) -> None: ...


def after_commit(session: Session, task: TaskName, *ids: UUID) -> None:
    """Send `task` with `ids` once this session's transaction has committed; a rollback forgets it."""
    if _WAITING not in session.info:
        session.info[_WAITING] = []
        event.listen(session, "after_commit", _send)
        event.listen(session, "after_transaction_end", _forget)
    session.info[_WAITING].append((task, tuple(str(id_) for id_ in ids)))


def _send(session: Session) -> None:
    if session.in_nested_transaction():
        return  # a savepoint's end is no commit
    messages: list[Message] = session.info[_WAITING]
    session.info[_WAITING] = []
    transport: Transport | None = session.info.get(TRANSPORT)
    if not messages or transport is None:
        return
    try:
        transport.send(messages)
    except Exception as error:  # noqa: BLE001 (whatever a broker client raises: the sweep finds the rows)
        _log.warning("broker_unreachable", messages=len(messages), error=type(error).__name__)


def _forget(session: Session, transaction: SessionTransaction) -> None:
    # Rolled back, or closed without a word. Of a savepoint that ends so, some may be of before it: a nudge too many
    # finds nothing to do.
    if transaction.parent is None:
        session.info[_WAITING] = []
