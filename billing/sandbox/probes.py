"""Is it ready? Each part of a stack is asked until it answers, or until its time is up."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from datetime import datetime

import requests
from celery import Celery
from sqlalchemy import text

from billing.flows.parts import Parts
from billing.kernel.errors import Unavailable
from billing.sandbox.embedded.processes import wait_until

READY_SECONDS = 90.0
"""A cold start on a busy machine of two cores takes about ten."""
_PROBE_S = 2.0

HOST = "127.0.0.1"


class StackFailed(Unavailable):
    """Some part of the stack does not come up. The message says which, and where to look."""


def until(ready: Callable[[], bool], *, alive: Callable[[], bool], what: str, log: str) -> None:
    """Wait for the probe. Raises `StackFailed` as soon as the process is gone, or when the time is up."""
    died: list[bool] = []

    def over() -> bool:
        if ready():
            return True
        if not alive():
            died.append(True)
        return bool(died)

    if not wait_until(over, seconds=READY_SECONDS) or died:
        raise StackFailed(f"{what} {'ended at once' if died else 'does not answer'}; see {log}")


def answers(url: str) -> bool:
    """Whether a GET there is answered with 200."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            return bool(session.get(url, timeout=_PROBE_S).status_code == requests.codes.ok)
    except requests.RequestException:
        return False


def workers_answer(app: Celery, nodes: Sequence[str]) -> bool:
    """Whether all these Celery nodes answer a ping."""
    # A connection of its own: a pooled one may lead to a broker that has been stopped since.
    with app.connection_for_read() as connection:
        asking = app.control.inspect(list(nodes), timeout=_PROBE_S, limit=len(nodes), connection=connection)
        return set(nodes) <= set(asking.ping() or {})


def has_beaten(parts: Parts, *, since: datetime) -> bool:
    """Whether a tick was sent, carried and worked off since that moment (wall time): beat, broker and worker in one."""
    with parts.begin() as session:
        seen = text("SELECT count(*) FROM billing.heartbeat WHERE seen_at > :since")
        return bool(session.execute(seen, {"since": since}).scalar_one())


def port_for(wished: int | None, kept: int | None) -> int:
    """The wished port, else the one of last time if it is free, else any free one. Raises `StackFailed`."""
    if wished is not None:
        if not _is_free(wished):
            raise StackFailed(f"port {wished} is taken; choose another with --port")
        return wished
    if kept is not None and _is_free(kept):
        return kept
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as any_free:
        any_free.bind((HOST, 0))
        return int(any_free.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trying:
        trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trying.bind((HOST, port))
        except OSError:
            return False
    return True
