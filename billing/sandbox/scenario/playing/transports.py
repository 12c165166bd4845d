"""Transports of a played scenario, all in this process: messages, the provider's books, and its webhooks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import requests
from flask import Flask
from flask.testing import FlaskClient

from billing.flows import collection, inbox, refunding, renewal
from billing.flows.parts import Parts
from billing.kernel.errors import ProviderUnavailable
from billing.providers.stripe.witness import Witness
from billing.queue.buffer import Message
from billing.queue.names import COLLECTIONS_CHARGE, INBOX_PROCESS, REFUNDS_SEND, RENEWALS_BILL

_WORK: dict[str, Callable[[Parts, UUID], object]] = {
    RENEWALS_BILL.name: renewal.bill,
    COLLECTIONS_CHARGE.name: collection.charge,
    INBOX_PROCESS.name: inbox.process,
    REFUNDS_SEND.name: refunding.send,
}
"""What each message has done by. Ticks wake sweeps; the player runs those itself."""


class Line:
    """The broker's place: messages in the order sent."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()

    def send(self, messages: list[Message]) -> None:
        """Take over what a transaction sent at its commit."""
        self._messages.extend(messages)

    def drain(self, parts: Parts) -> None:
        """Do what the messages ask for, and what that sends, to the end."""
        while self._messages:
            task, ids = self._messages.popleft()
            if task.name in _WORK:
                _WORK[task.name](parts, UUID(ids[0]))


class Mounted:
    """Requests straight into an application."""

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: Any
    ) -> tuple[bytes, int, Mapping[str, str]]:
        parts = urlsplit(url)
        answer = self._client.open(
            parts.path, query_string=parts.query, method=method, headers=dict(headers), data=body
        )
        return answer.get_data(), answer.status_code, dict(answer.headers)


class MountedWitness(Witness):
    """The stand-in's own books, read in process."""

    def __init__(self, app: Flask) -> None:
        super().__init__("")
        self._client = app.test_client()

    def call(self, method: str, door: str, body: Any = None, *, query: dict[str, str] | None = None) -> Any:
        answer = self._client.open(f"/_sandbox/{door}", method=method, json=body, query_string=query)
        if answer.status_code != requests.codes.ok:
            raise ProviderUnavailable(f"witness: HTTP {answer.status_code} for {door}")
        return answer.get_json()


class Receiver:
    """Carries the stand-in's webhooks to the real receiving application, once there is one."""

    def __init__(self) -> None:
        self._client: FlaskClient | None = None

    def listen(self, app: Flask) -> None:
        """From now on deliveries go to `app`."""
        self._client = app.test_client()

    def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        if self._client is None:
            raise OSError("nobody listens yet")
        sent = {name: value for name, value in headers.items() if name.lower() != "content-type"}
        answer = self._client.post(urlsplit(url).path, data=body, headers=sent, content_type="application/json")
        return answer.status_code
