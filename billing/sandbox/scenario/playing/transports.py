"""Transports of a played scenario, all in this process: messages, the provider's books, and its webhooks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from billing.flows import collection, inbox, refunding, renewal
from billing.flows.parts import Parts
from billing.flows.receiving import Delivery
from billing.kernel.errors import ProviderUnavailable
from billing.providers.stripe.witness import Witness
from billing.queue.buffer import Message
from billing.queue.names import COLLECTIONS_CHARGE, INBOX_PROCESS, REFUNDS_SEND, RENEWALS_BILL
from billing.sandbox.scenario.stopping import STOPPING
from billing.sandbox.stripe.doors import DOORS, Door
from billing.sandbox.stripe.errors import ApiError
from billing.sandbox.stripe.mounted import ask
from billing.sandbox.stripe.standin import StandIn
from billing.webhooks.door import take

_WORK: dict[str, Callable[..., object]] = {
    RENEWALS_BILL.name: renewal.bill,
    COLLECTIONS_CHARGE.name: collection.charge,
    INBOX_PROCESS.name: inbox.process_all,
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

    def drain(self, parts: Parts) -> bool:
        """Do what the messages ask for, and what that sends, to the end. False where nobody asked for anything."""
        asked = bool(self._messages)
        while self._messages:
            STOPPING.pause()
            task, ids = self._messages.popleft()
            if task.name in _WORK:
                _WORK[task.name](parts, *map(UUID, ids))
        return asked


class Mounted:
    """Requests straight into the stand-in."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: Any
    ) -> tuple[bytes, int, Mapping[str, str]]:
        answer = ask(self._stand_in, method, url, headers, body)
        if answer is None:
            raise LookupError(f"the stand-in serves no {method} {urlsplit(url).path}")
        return answer


class MountedWitness(Witness):
    """The stand-in's own books, read in process."""

    def __init__(
        self, stand_in: StandIn, *, provider: str = "stripe", doors: Mapping[tuple[str, str], Door] = DOORS
    ) -> None:
        super().__init__("", provider=provider, documented_only=False)
        self._stand_in, self._doors = stand_in, doors

    def call(self, method: str, door: str, body: Any = None, *, query: dict[str, str] | None = None) -> Any:
        try:
            return self._doors[method, door](self._stand_in, "", query or {} if body is None else body)
        except ApiError as error:
            raise ProviderUnavailable(f"witness: {error} for {door}") from None


class Receiver:
    """Carries the stand-in's webhooks to the real receiver's door, once it is open: what waits together at once."""

    def __init__(self) -> None:
        self._parts: Parts | None = None

    def listen(self, parts: Parts) -> None:
        """From now on deliveries go to the receiver over these parts."""
        self._parts = parts

    def __call__(self, parcels: list[tuple[str, bytes, dict[str, str]]]) -> list[int | None]:
        if self._parts is None:
            raise OSError("nobody listens yet")
        deliveries = [Delivery(body, headers["Stripe-Signature"]) for _, body, headers in parcels]
        return [status for _, status in take(self._parts, "stripe", "default", deliveries)]
