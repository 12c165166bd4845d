"""Messages in the background: nobody who commits waits for the broker, and what it does not take is forgotten."""

from __future__ import annotations

from threading import Event

from billing.queue.background import TOGETHER, Background, joined
from billing.queue.buffer import Message
from billing.queue.names import COLLECTIONS_CHARGE, INBOX_PROCESS


class Frozen:
    """A broker that answers nobody until it thaws."""

    def __init__(self) -> None:
        self.thawed, self.came = Event(), Event()
        self.sent: list[Message] = []

    def send(self, messages: list[Message]) -> None:
        self.came.set()
        assert self.thawed.wait(10)
        self.sent += messages
        if (INBOX_PROCESS, ("last",)) in messages:
            raise ConnectionError


def test_a_frozen_broker_keeps_nobody_waiting_and_has_its_messages_later() -> None:
    broker = Frozen()
    background = Background(broker)
    background.send([(INBOX_PROCESS, ("first",))])
    assert broker.came.wait(10)
    broker.came.clear()
    for id_ in ("second", "third"):
        background.send([(INBOX_PROCESS, (id_,))])
    assert broker.sent == []
    broker.thawed.set()
    assert broker.came.wait(10)
    while len(broker.sent) < 2:
        assert broker.thawed.is_set()
    assert broker.sent == [(INBOX_PROCESS, ("first",)), (INBOX_PROCESS, ("second", "third"))]


def test_a_broker_that_fails_is_asked_again_with_the_next_message() -> None:
    broker = Frozen()
    broker.thawed.set()
    background = Background(broker)
    for id_ in ("last", "next"):
        broker.came.clear()
        background.send([(INBOX_PROCESS, (id_,))])
        assert broker.came.wait(10)


def test_only_events_travel_together_and_not_too_many() -> None:
    one: list[Message] = [(COLLECTIONS_CHARGE, ("a",)), (COLLECTIONS_CHARGE, ("b",))]
    assert joined(one) == one
    many: list[Message] = [(INBOX_PROCESS, (str(number),)) for number in range(TOGETHER + 1)]
    assert [len(ids) for _, ids in joined(many)] == [TOGETHER, 1]
