"""Dropping: a message that no task of ours can take is dropped, as Celery does, and told to a person.

Nothing is lost with it, for a message carries ids alone and a sweep finds the rows. But somebody sends what nobody
here understands: a newer release beside this one, or another program on the same broker.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid5

import structlog
from celery.worker.consumer import Consumer

from billing.commands.work_item.raise_item import raise_item
from billing.kernel.work import WorkKind
from billing.privacy.redaction import redact_text
from billing.tasks.base import TASKS
from billing.wiring import current

_log = structlog.get_logger(__name__)
_LONGEST = 100
"""Characters of a foreign name that are shown."""


class TellingConsumer(Consumer):  # type: ignore[misc]  # Celery publishes no types
    """Celery's consumer; of what it drops it raises a work item, one a name and queue."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]  # Celery publishes no types
        """Its steps, but one: it would make 28 replicated queues for countdowns, and no task of ours has one."""

        default_steps = [each for each in Consumer.Blueprint.default_steps if "delayed_delivery" not in each]  # noqa: RUF012

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """No task of this name is registered."""
        super().on_unknown_task(body, message, exc)
        named = _shown(message.headers.get("task"))
        _tell(
            WorkKind.MESSAGE_UNROUTABLE,
            f"A message for {named}, which this worker does not know, was dropped.",
            message,
        )

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """It is no message of Celery's."""
        super().on_unknown_message(body, message)
        _unreadable(message)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """What it says of its task is no sense, or is of a content type that is not accepted."""
        super().on_invalid_task(body, message, exc)
        _unreadable(message)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Its body can't be read."""
        super().on_decode_error(message, exc)
        _unreadable(message)


def _unreadable(message: Any) -> None:
    _tell(WorkKind.MESSAGE_UNREADABLE, "A message that is no task or can't be read was dropped.", message)


def _tell(kind: WorkKind, summary: str, message: Any) -> None:
    """The body is nobody's business and is not kept."""
    headers = message.headers if isinstance(message.headers, dict) else {}
    queue = _shown((message.delivery_info or {}).get("routing_key"))
    error = f"queue {queue}, task {_shown(headers.get('task'))}, from {_shown(headers.get('origin'))}"
    subject = uuid5(TASKS, "/".join((kind, queue, _shown(headers.get("task")))))
    parts = current()
    try:
        with parts.begin() as session:
            raise_item(
                session,
                kind=kind,
                subject_type="message",
                subject_id=subject,
                summary=summary,
                error=error,
                safe_actions=["park", "discard"],
                now=parts.clock.now(session),
            )
    except Exception as away:  # noqa: BLE001 (the consumer goes on whatever the database does)
        _log.error("message_dropped", kind=kind.value, error=type(away).__name__)


def _shown(value: object) -> str:
    return redact_text(str(value or "unnamed")[:_LONGEST])
