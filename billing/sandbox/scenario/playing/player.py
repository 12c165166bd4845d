"""The player: from one due moment to the next; at each, retries, then boundaries, then steps (contract, rule 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from billing.commands.slice.cut import cut, cut_charges
from billing.flows import renewal
from billing.kernel.errors import Refused
from billing.sandbox.scenario import steps
from billing.sandbox.scenario.model import Scenario
from billing.sandbox.scenario.playing.acts import Play, act
from billing.sandbox.scenario.playing.acts_together import subscribe_together, together_from, use_together
from billing.sandbox.scenario.playing.cast import put_on
from billing.sandbox.scenario.playing.stage import Stage

_NEXT = text(
    """
    SELECT (SELECT min(next_attempt_at) FROM billing.invoice WHERE status = 'open' AND hold_id IS NULL) AS retry,
        (SELECT min(next_due_at) FROM billing.subscription WHERE hold_id IS NULL) AS boundary,
        pg_relation_size('billing.payment') + pg_relation_size('billing.invoice') AS bytes
    """
)
_RETRIES = text(
    """
    SELECT id FROM billing.invoice WHERE status = 'open' AND hold_id IS NULL AND next_attempt_at <= :now
    ORDER BY issued_at, id
    """
)
_DUE = text(
    """
    SELECT id, profile_id FROM billing.subscription
    WHERE next_due_at <= :now AND hold_id IS NULL AND (CAST(:only AS uuid) IS NULL OR id = :only)
    ORDER BY code
    """
)

# Its schedule goes on from the moment at which the retry is done, so only where that moment lies is moved.
_WAIT = text(
    """
    UPDATE billing.invoice i
    SET next_attempt_at = :until, version = i.version + 1,
        dunning_at = CAST(:until AS timestamptz) - make_interval(secs => s.dunning_retry_s[i.dunning_step + 1])
    FROM billing.seller s
    WHERE s.id = i.seller_id AND i.status = 'open' AND i.next_attempt_at <= :now AND i.dunning_at IS NOT NULL
      AND i.dunning_step < cardinality(s.dunning_retry_s)
    """
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A step that was refused, or one that was not although it should have been (`code` is then null)."""

    step: steps.Step
    code: str | None
    mend: str

    @property
    def expected(self) -> bool:
        return self.code == self.step.expect_error


@dataclass(slots=True)
class Played:
    """What is left on the stage when the scenario is over."""

    play: Play
    refusals: list[Refusal] = field(default_factory=list)
    idle_since: datetime | None = None
    """Where it ends in an outage: since when nothing due was done."""


def play(scenario: Scenario, stage: Stage, *, passing: Callable[[datetime], None] | None = None) -> Played:
    """Play it to its end; `passing` is told each moment. Raises `NotSettled` where one does not come to rest."""
    return _Player(scenario, stage).run(passing)


class _Player:
    def __init__(self, scenario: Scenario, stage: Stage) -> None:
        self._scenario = scenario
        self._stage = stage
        self._steps = scenario.steps
        self._place = 0
        self._outages = [(step.at, step.until) for step in scenario.steps if isinstance(step, steps.Outage)]
        self._played = Played(Play(scenario, stage, put_on(stage, scenario)))
        stage.settle()

    def run(self, passing: Callable[[datetime], None] | None) -> Played:
        while True:
            waiting = self._waiting()
            due = self._next_due(waiting)
            step = self._steps[self._place].at if self._place < len(self._steps) else None
            moments = [at for at in (due, step) if at is not None]
            if not moments or min(moments) > self._scenario.until:
                self._end()
                return self._played
            now = min(moments)
            self._stage.set_clock(now)
            self._stage.look_anew(waiting.bytes)
            if passing is not None:
                passing(now)
            if due == now:
                self._scheduled(now, retries=waiting.retry is not None and waiting.retry <= now)
            while self._place < len(self._steps) and self._steps[self._place].at == now:
                self._let_retries_wait(now)
                self._place += self._do(self._place)

    def _let_retries_wait(self, now: datetime) -> None:
        """Retries that fell due in an outage wait for its end, and hold up nothing that a step sets off at once."""
        until = self._back_at(now)
        if until > now:
            with self._stage.parts.begin() as session:
                session.execute(_WAIT, {"now": now, "until": until})

    def _waiting(self) -> Any:
        with self._stage.parts.begin() as session:
            return session.execute(_NEXT).one()

    def _next_due(self, waiting: Any) -> datetime | None:
        """The next moment at which the scheduler works: what falls into an outage is done at its end."""
        moments = [at for at in (waiting.retry, waiting.boundary) if at is not None]
        return self._back_at(max(min(moments), self._stage.now)) if moments else None

    def _back_at(self, at: datetime) -> datetime:
        """When the scheduler works at or after this moment."""
        while (until := self._outage_at(at)) is not None:
            at = until
        return at

    def _outage_at(self, at: datetime) -> datetime | None:
        return next((until for start, until in self._outages if start <= at < until), None)

    def _scheduled(self, now: datetime, *, retries: bool) -> None:
        """Retries, oldest invoice first, then boundaries by subscription name."""
        if retries:
            self._cut_retries(now)
        self._stage.settle()
        if any(until == now for _, until in self._outages):
            self._bill_one_by_one(None)
        else:
            renewal.plan(self._stage.parts)
            self._stage.settle()

    def _cut_retries(self, now: datetime) -> None:
        """Every retry of this moment, each by itself: what comes of one decides whether the next is charged."""
        with self._stage.parts.begin() as session:
            cut_charges(session, invoices=session.execute(_RETRIES, {"now": now}).scalars().all())

    def _bill_one_by_one(self, only: UUID | None) -> None:
        """Every overdue boundary of each subscription, charged before the next (contract, rule 12)."""
        with self._stage.parts.begin() as session:
            due = session.execute(_DUE, {"now": self._stage.now, "only": only}).all()
        for row in due:
            while self._is_due(row.id):
                with self._stage.parts.begin() as session:
                    cut(session, kind="renewals", members=[row.profile_id], subscriptions=[row.id], size=1)
                self._stage.settle()

    def _is_due(self, subscription_id: UUID) -> bool:
        with self._stage.parts.begin() as session:
            return bool(session.execute(_DUE, {"now": self._stage.now, "only": subscription_id}).first())

    def _do(self, place: int) -> int:
        """Do the step at this place, with those that may be done with it. Returns how many."""
        together = together_from(self._steps, place)
        if len(together) < 2:
            self._step(self._steps[place])
            return 1
        play = self._played.play
        self._all_or_each(together.usage, lambda: use_together(play, together.usage))
        self._all_or_each(together.subscribe, lambda: subscribe_together(play, together.subscribe))
        return len(together)

    def _all_or_each(self, some: Sequence[steps.Step], act_on_all: Callable[[], None]) -> None:
        """All at once; where one is refused nothing was done, and each is told by itself what is wrong with it."""
        if not some:
            return
        try:
            act_on_all()
        except Refused:
            for step in some:
                self._step(step)
        else:
            self._stage.settle()

    def _step(self, step: steps.Step) -> None:
        subscription = self._played.play.subscriptions.get(getattr(step, "subscription", ""))
        if subscription is not None and not isinstance(step, steps.Usage) and self._outage_at(step.at) is not None:
            self._bill_one_by_one(subscription)
        code, mend = None, ""
        try:
            act(self._played.play, step)
        except Refused as refused:
            code, mend = refused.code, refused.faults[0].mend
        if code is not None or step.expect_error is not None:
            self._played.refusals.append(Refusal(step, code, mend))
        self._stage.settle()

    def _end(self) -> None:
        until = self._scenario.until
        if until > self._stage.now:
            self._stage.set_clock(until)
        running = [(start, end) for start, end in self._outages if start <= until < end]
        if running:
            self._played.idle_since = self._began(min(start for start, _ in running))

    def _began(self, at: datetime) -> datetime:
        """When the outage at this moment began: one that follows upon another is the same."""
        before = [start for start, end in self._outages if start < at <= end]
        return self._began(min(before)) if before else at
