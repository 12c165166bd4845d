"""Handing one event to its receiver: posted, or called in this process, or sent to a task of the host application."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from billing.delivery.post import TAKEN, Answer, post
from billing.delivery.signature import signed_headers
from billing.flows.parts import Parts
from billing.kernel.failpoints import failpoint
from billing.queue.names import TaskName
from billing.validators.endpoint import IN_PROCESS

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Receiver:
    """An endpoint's target, and the secrets that sign for it now."""

    target: str
    secrets: Sequence[str] = field(repr=False)

    @property
    def in_process(self) -> bool:
        return self.target.startswith(IN_PROCESS)


def hand(parts: Parts, receiver: Receiver, text: bytes, *, id_: UUID) -> Answer:
    """One try, with no transaction open. Raises nothing but what ends the process: a failure is a code."""
    failpoint("delivery.sending")
    if not receiver.in_process:
        return _post(parts, receiver, text, id_)
    if receiver.target not in parts.settings.subscribers:
        return Answer("unknown_subscriber")
    kind, _, name = receiver.target.partition(":")
    return _call(name, text) if kind == "python" else _send(parts, name, text)


def _post(parts: Parts, receiver: Receiver, text: bytes, id_: UUID) -> Answer:
    # The receiver compares it with a clock of its own, so it is this machine's and not the database's.
    headers = signed_headers(secrets=receiver.secrets, id_=str(id_), timestamp=int(time.time()), body=text)
    connect_s, read_s = parts.settings.post_timeouts_s
    allowed = parts.settings.endpoint_networks
    return post(receiver.target, text, headers, connect_s=connect_s, read_s=read_s, allowed=allowed)


def _call(name: str, text: bytes) -> Answer:
    module, _, function = name.partition(":")
    try:
        getattr(importlib.import_module(module), function)(json.loads(text))
    except Exception as error:  # noqa: BLE001 (whatever the host's own code raises: it is tried again)
        # Its words may be personal; the host application logs them itself.
        _log.warning("subscriber_failed", subscriber=name, error=type(error).__name__)
        return Answer(f"raised_{type(error).__name__}")
    return Answer(TAKEN)


def _send(parts: Parts, name: str, text: bytes) -> Answer:
    """To the broker is delivered: whether the task does its work is the host application's own matter."""
    queue, _, task = name.partition(":")
    if parts.transport is None:
        return Answer("no_broker")
    try:
        parts.transport.send([(TaskName(task, queue), (text.decode(),))])
    except Exception as error:  # noqa: BLE001 (whatever a broker's client raises)
        _log.warning("broker_unreachable", messages=1, error=type(error).__name__)
        return Answer("broker_away")
    return Answer(TAKEN)
