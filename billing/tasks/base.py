"""What every task does with a failure: one table from its type to what is next. None retries through the broker."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID, uuid5

import structlog
from celery import shared_task
from sqlalchemy.exc import OperationalError

from billing.commands.work_item.raise_item import raise_item
from billing.flows.parts import Parts
from billing.flows.upkeep import beat
from billing.kernel.errors import ProviderUnavailable, ProviderUncertain, Refused, Stale
from billing.kernel.work import WorkKind
from billing.privacy.logging import correlated
from billing.privacy.redaction import redact_error
from billing.queue.names import TICKS, TaskName
from billing.tasks.acknowledging import ReconnectingTask
from billing.wiring import current

_log = structlog.get_logger(__name__)
_TASKS = UUID("6b1d1f0e-6a53-4f0f-9d0a-3a8a1c1f5b10")
"""Namespace of work items about tasks: one live item a task and id."""

LATER = (OperationalError, ProviderUnavailable, ProviderUncertain, Stale)
"""Passing: the rows are the jobs, and a sweep finds them again."""


def task(name: TaskName, *, limit_s: float | None = None) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Register `work(parts, *ids)` under `name`. What fails for good becomes a work item; what passes is swept up.

    `limit_s`: seconds after which it is killed, where the setting for all is too short for it.
    """

    def register(work: Callable[..., Any]) -> Callable[..., None]:
        @wraps(work)
        def run(*ids: str) -> None:
            with correlated():
                _run(name, work, ids)

        registered: Callable[..., None] = shared_task(name=name.name, base=ReconnectingTask, **_limit(limit_s))(run)
        return registered

    return register


def _limit(limit_s: float | None) -> dict[str, float]:
    return {} if limit_s is None else {"time_limit": limit_s}


def _run(name: TaskName, work: Callable[..., Any], ids: tuple[str, ...]) -> None:
    parts = current()
    try:
        work(parts, *(UUID(id_) for id_ in ids))
        if name in TICKS:
            beat(parts, name, worker=socket.gethostname())
    except LATER as later:
        _log.warning("task_left_for_sweep", task=name.name, error=type(later).__name__)
    except Exception as error:
        _log.exception("task_failed", task=name.name)
        _raise_item(parts, name, ids, error)
        raise


def _raise_item(parts: Parts, name: TaskName, ids: tuple[str, ...], error: Exception) -> None:
    with parts.begin() as session:
        raise_item(
            session,
            kind=WorkKind.TASK_FAILED,
            subject_type="task",
            subject_id=uuid5(_TASKS, "/".join((name.name, *ids))),
            summary=f"Task {name.name} failed for good" + (f" for {ids[0]}." if ids else "."),
            error=redact_error(error),
            trace=None if isinstance(error, Refused) else "".join(traceback.format_tb(error.__traceback__))[-4000:],
            safe_actions=["park", "discard"],
            now=parts.clock.now(session),
        )
