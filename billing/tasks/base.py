"""What every task does with a failure: one table from its type to what is next. None retries through the broker."""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID, uuid5

import structlog
from celery import current_task, shared_task
from celery.exceptions import TimeLimitExceeded
from celery.signals import task_failure
from sqlalchemy.exc import OperationalError

from billing.commands.work_item.raise_item import raise_item
from billing.flows.parts import Parts
from billing.flows.upkeep import beat
from billing.kernel.errors import ProviderUnavailable, ProviderUncertain, Refused, Stale
from billing.kernel.work import WorkKind
from billing.privacy.logging import correlated
from billing.privacy.redaction import redact_error
from billing.privacy.tracing import Tell, step
from billing.queries.same_database import NotReconciled
from billing.queue.celery import CORRELATION, STEP
from billing.queue.names import TICKS, TaskName
from billing.tasks.acknowledging import ReconnectingTask
from billing.wiring import current

_log = structlog.get_logger(__name__)
TASKS = UUID("6b1d1f0e-6a53-4f0f-9d0a-3a8a1c1f5b10")
"""Namespace of work items about tasks: one live item a task and id."""

_SHOWN = 5
"""Ids of a task that its line names."""

LATER = (OperationalError, ProviderUnavailable, ProviderUncertain, Stale, NotReconciled)
"""Passing: the rows are the jobs, and a sweep finds them again."""


def passes(error: Exception) -> bool:
    """Whether a sweep may have better luck: with one that is `LATER`, or with several that all are."""
    if isinstance(error, ExceptionGroup):
        return error.split(LATER)[1] is None
    return isinstance(error, LATER)


def task(name: TaskName, *, limit_s: float | None = None) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Register `work(parts, *ids)` under `name`. What fails for good becomes a work item; what passes is swept up.

    `limit_s`: seconds after which it is killed, where the setting for all is too short for it. Its message is
    acknowledged when it begins: a broker takes one that is held for so long for lost, and hands it out again.
    """

    def register(work: Callable[..., Any]) -> Callable[..., None]:
        @wraps(work)
        def run(*ids: str, **_: object) -> None:
            # What a forged message names beside ids is honoured in nothing.
            run, above = _told(), getattr(current_task.request, STEP, None)
            with correlated(run), step(name.name, first=run is None, beneath=above, ids=list(ids[:_SHOWN])) as tell:
                _run(name, work, ids, tell)

        registered: Callable[..., None] = shared_task(name=name.name, base=ReconnectingTask, **_limit(limit_s))(run)
        return registered

    return register


def _told() -> str | None:
    """The correlation id that the message brought, where it is one: whoever writes to the broker may write anything."""
    try:
        return str(UUID(getattr(current_task.request, CORRELATION, None) or ""))
    except (ValueError, TypeError, AttributeError):
        return None


def _limit(limit_s: float | None) -> dict[str, Any]:
    return {} if limit_s is None else {"time_limit": limit_s, "acks_late": False}


def _run(name: TaskName, work: Callable[..., Any], ids: tuple[str, ...], tell: Tell) -> None:
    parts = current()
    began = time.monotonic()
    try:
        done = work(parts, *(UUID(id_) for id_ in ids))
        tell(done=done)
        if ids or done:
            took_s = round(time.monotonic() - began, 3)
            _log.info("task_done", task=name.name, ids=list(ids[:_SHOWN]), done=done, took_s=took_s)
        if name in TICKS:
            beat(parts, name, worker=socket.gethostname())
    except Exception as error:
        if passes(error):
            tell(left_for_sweep=type(error).__name__)
            _log.warning("task_left_for_sweep", task=name.name, error=type(error).__name__)
            return
        _log.exception("task_failed", task=name.name)
        _raise_item(parts, name.name, ids, error, ended="failed for good")
        raise


@task_failure.connect  # type: ignore[untyped-decorator]
def killed(sender: Any, exception: Exception, args: Any, **_: Any) -> None:
    """Tell of a task that ran past its limit: its process is dead, and the worker speaks for it.

    One that died otherwise is not told of here: its rows count their starts, and who kills each time is set apart.
    """
    if not isinstance(exception, TimeLimitExceeded):
        return
    try:
        _raise_item(
            current(), sender.name, tuple(map(str, args or ())), exception, ended="was killed at its time limit"
        )
    except Exception as away:  # noqa: BLE001 (the worker goes on whatever the database does)
        _log.error("task_killed", task=sender.name, error=type(away).__name__)


def _raise_item(parts: Parts, name: str, ids: tuple[str, ...], error: Exception, *, ended: str) -> None:
    with parts.begin() as session:
        raise_item(
            session,
            kind=WorkKind.TASK_FAILED,
            subject_type="task",
            subject_id=uuid5(TASKS, "/".join((name, *ids))),
            summary=f"Task {name} {ended}" + (f", for {ids[0]}." if ids else "."),
            error=redact_error(error),
            trace=None if isinstance(error, Refused) else "".join(traceback.format_tb(error.__traceback__))[-4000:],
            safe_actions=["park", "discard"],
            now=parts.clock.now(session),
        )
