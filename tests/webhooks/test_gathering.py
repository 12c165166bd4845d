"""Gathering: who comes while others are stored is stored with the next ones, and each has an answer of its own."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from billing.webhooks.gathering import MOST, Gathering


class Slow:
    """Stores nothing, and waits until it may go on."""

    def __init__(self) -> None:
        self.together: list[int] = []
        self.entered, self.may_go_on = Event(), Event()

    def store(self, items: Sequence[int]) -> list[int]:
        self.together.append(len(items))
        self.entered.set()
        assert self.may_go_on.wait(10)
        return [10 * item for item in items]


def test_those_who_come_meanwhile_are_stored_together_and_each_has_its_own_answer() -> None:
    slow = Slow()
    gathering = Gathering(slow.store)
    number = MOST + 6
    with ThreadPoolExecutor(number) as pool:
        first = pool.submit(gathering.give, 0)
        assert slow.entered.wait(10)
        others = [pool.submit(gathering.give, item) for item in range(1, number)]
        while len(gathering.waiting) < number - 1:
            assert not first.done()
        slow.may_go_on.set()
        assert [each.result(10) for each in (first, *others)] == [10 * item for item in range(number)]
    assert slow.together == [1, MOST, 5]


def test_what_fails_is_told_to_all_of_them_and_the_next_ones_are_stored() -> None:
    calls: list[Sequence[int]] = []

    def store(items: Sequence[int]) -> Sequence[int]:
        calls.append(items)
        if len(calls) == 1:
            raise ConnectionError("the database is away")
        return items

    gathering = Gathering(store)
    with pytest.raises(ConnectionError):
        gathering.give(1)
    assert gathering.give(2) == 2
