"""Rows 16 to 19 and 22, and two ways of the provider: a 500 saved on create, an intent canceled by the limit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from billing.sandbox.crash.case import Case, Row, Story, Trace
from billing.sandbox.crash.halfway import Halfway
from billing.sandbox.crash.stage import NotReached, Stage
from billing.sandbox.crash.world import DECLINES_ONCE, NO_FUNDS, START, VISA, Customer, World

_OF_ACCOUNT = (
    "SELECT i.id FROM billing.invoice i JOIN billing.profile p ON p.id = i.profile_id WHERE p.account_id = '{}'"
)
_TWICE = (START, START + timedelta(days=3))
_SIMPLE = World(customers=(Customer("a1"), Customer("a2", subscriptions=2)))
_DECLINED_ONCE = World(customers=(Customer("a1", card=DECLINES_ONCE), Customer("a2")), moments=_TWICE)
_RETRIED = World(customers=(Customer("a1", card=NO_FUNDS), Customer("a2")), moments=_TWICE)
"""The first card declines; another is given before the next try, which confirms the same intent."""


def _on_create(kind: str, times: int) -> Story:
    def story(stage: Stage) -> None:
        stage.witness.add_faults({"kind": kind, "next": times, "path": stage.house.charges, "method": "POST"})
        stage.receiver()
        stage.worker()
        _struck(stage, times)

    return story


def _on_confirm(kind: str) -> Story:
    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker()
        stage.play(lambda: stage.quiet)
        stage.witness.add_faults({"kind": kind, "next": 1, "path": stage.house.next_tries, "method": "POST"})
        stage.change_card("a1", VISA)
        _struck(stage, 1)
        if stage.house.name == "stripe":
            stage.expect(len(_intents(stage, "a1")) == 1, "the retry made a second intent")

    return story


def _struck(stage: Stage, times: int) -> None:
    if not stage.play(lambda: sum(fault["hits"] for fault in stage.witness.faults()) >= times):
        raise NotReached("the provider's fault")
    stage.hurt(times)


def _throttled(kind: str, times: int, **more: float) -> Story:
    """Turned away at the door so often: the same attempts are sent again under their keys, none is used up."""

    def story(stage: Stage) -> None:
        stage.witness.add_faults({"kind": kind, "next": times, "path": stage.house.charges, "method": "POST", **more})
        stage.receiver()
        stage.worker()
        _struck(stage, times)
        stage.play()
        stage.expect(not stage.ids("SELECT id FROM billing.payment WHERE attempt_no > 1"), "an attempt was used up")

    return story


def _confirm_limit(stage: Stage) -> None:
    """The provider cancels the intent at the second confirm: a successor takes its place, and is paid once."""
    stage.server.stand_in.configure({"max_confirms": 1})
    stage.receiver()
    stage.worker()
    stage.play(lambda: stage.quiet)
    stage.change_card("a1", VISA)
    if not stage.play(lambda: any(intent.status == "canceled" for intent in stage.witness.intents())):
        raise NotReached("the confirm limit")
    stage.hurt()
    stage.play()
    statuses = sorted(_intents(stage, "a1"))
    stage.expect(statuses == ["canceled", "succeeded"], f"the invoice's intents are {statuses}")


def _intents(stage: Stage, account: str) -> list[str]:
    invoices = stage.ids(_OF_ACCOUNT.format(account))
    return [intent.status for intent in stage.witness.intents() if intent.invoice_id == str(invoices[0])]


def _halfway(after: int, *, again: bool) -> Story:
    """The answer to the first such request breaks off after so many bytes: in its head, or in its body."""

    def story(stage: Stage) -> None:
        to = stage.house.next_tries if again else f"{stage.house.charges} "
        proxy = Halfway(stage.server.url, to=f"POST {to}".encode(), after=after)
        stage.at_end(proxy.close)
        stage.receiver()
        stage.worker(env={stage.house.base: proxy.url})
        if not stage.play(lambda: proxy.broke):
            raise NotReached("an answer to break")
        stage.hurt()

    return story


def _broken_off(_: Trace) -> list[Case]:
    return [
        Case("18", f"answer to {said} breaks off after {after} bytes", _halfway(after, again=again), world=world)
        for said, again, world in (("create", False, _SIMPLE), ("confirm", True, _DECLINED_ONCE))
        for after in (10, 700)
    ]


def _faulty(row: str, kind: str, *, more: Callable[[Trace], list[Case]] = lambda _: []) -> Row:
    def cases(trace: Trace) -> list[Case]:
        return [
            Case(row, f"{kind} on create", _on_create(kind, 1), world=_SIMPLE),
            Case(row, f"{kind} on create, 3 times", _on_create(kind, 3), world=_SIMPLE),
            Case(row, f"{kind} on confirm", _on_confirm(kind), world=_RETRIED),
            *more(trace),
        ]

    return Row(row, _TITLES[row], cases)


_TITLES = {
    "16": "time-out after the provider committed",
    "17": "time-out before the provider committed",
    "18": "connection reset before the answer",
    "19": "500 saved under the key, charged",
    "saved-500": "500 saved under the key on create, not charged",
}

ROWS = (
    _faulty("16", "timeout_after"),
    _faulty("17", "timeout_before"),
    _faulty("18", "disconnect_after", more=_broken_off),
    _faulty("19", "error_500_after"),
    _faulty("saved-500", "error_500_before"),
    Row(
        "22",
        "429 burst, with Retry-After and without; a lock on the object",
        lambda _: [
            Case("22", "429, 5 times", _throttled("rate_limit", 5), world=_SIMPLE),
            Case("22", "429 with Retry-After", _throttled("rate_limit", 3, retry_after_s=1), world=_SIMPLE),
            Case("22", "lock_timeout, 3 times", _throttled("lock_timeout", 3), world=_SIMPLE),
        ],
    ),
    Row(
        "confirm-limit",
        "intent canceled by the provider's confirm limit",
        lambda _: [Case("confirm-limit", "second confirm", _confirm_limit, world=_RETRIED)],
    ),
)
