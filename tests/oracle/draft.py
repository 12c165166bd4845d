"""A scenario in the making: what the generator remembers of it, and what playing it so far gave."""

import datetime as dt
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.oracle import times
from tests.oracle.play import play

Step = dict[str, Any]


@dataclass(kw_only=True)
class Sub:
    """What the generator remembers of a subscription: its item lists so far and its records' ids."""

    name: str
    customer: str
    group: str
    lists: list[list[Step]]
    ids: list[str] = field(default_factory=list)
    canceling: bool = False

    @property
    def items(self) -> list[Step]:
        return self.lists[-1]


@dataclass(kw_only=True)
class Draft:
    """A scenario in the making, and what playing it so far gave."""

    rng: Random
    scenario: dict[str, Any]
    now: dt.datetime
    subs: dict[str, Sub] = field(default_factory=dict)
    view: dict[str, Any] = field(default_factory=dict)

    @property
    def prices(self) -> dict[str, Any]:
        return self.scenario["prices"]

    def chance(self, part: float) -> bool:
        return self.rng.random() < part

    def look(self) -> None:
        self.view = play(self.scenario, until=self.now)

    def live(self) -> list[Sub]:
        states = self.view["subscriptions"]
        return [sub for sub in self.subs.values() if states[sub.name]["status"] != "canceled"]

    def any_sub(self) -> Sub:
        live = self.live()
        return self.rng.choice(live if live and not self.chance(0.04) else list(self.subs.values()))

    def some(self, **states: str) -> Sub:
        """A subscription in this state, if there is one."""
        fitting = [s for s in self.subs.values() if self.view["subscriptions"][s.name]["status"] == states["status"]]
        return self.rng.choice(fitting) if fitting else self.any_sub()

    def ends(self) -> list[dt.datetime]:
        """Boundaries that come soon."""
        found = [times.moment(value=self.view["subscriptions"][s.name]["current_period_end"]) for s in self.live()]
        return [at for at in found if self.now < at <= self.now + dt.timedelta(days=45)]

    def retries(self) -> list[dt.datetime]:
        """When what was declined may be tried again: each of the seller's waits after it."""
        waits = [times.delay(value=each) for each in self.scenario["seller"].get("dunning", {}).get("retries", ["3d"])]
        failed = {times.moment(value=each["at"]) for each in self.view["payments"] if each["status"] == "declined"}
        return sorted({at + wait for at in failed for wait in waits if at + wait > self.now})

    def began(self) -> Sub | None:
        """The subscription that began just now: what begins beside it has its boundaries and retries."""
        last = self.scenario["timeline"][-1:]
        begins = [each for each in last if each["do"] == "subscribe" and each["at"] == times.text(at=self.now)]
        return self.subs[begins[0]["as"]] if begins else None

    def later(self) -> dt.datetime:
        """The next step's moment: the same, a boundary or one second beside it, a retry, an outage's end, or any."""
        ends, kind = self.ends(), self.rng.random()
        last = self.scenario["timeline"][-1]
        if last["do"] == "outage" and self.chance(0.5):
            return times.moment(value=last["until"]) + dt.timedelta(seconds=self.rng.choice([0, 1, 3600]))
        if kind < 0.2:
            return self.now
        if kind < 0.45 and ends:
            return self.rng.choice(ends) + dt.timedelta(seconds=self.rng.choice([0, 0, 0, -1, 1]))
        if kind < 0.55 and (retries := self.retries()):
            return self.rng.choice(retries)
        moved = self.now + dt.timedelta(days=self.rng.choice([1, 3, 8, 15]), seconds=self.rng.randint(1, 86399))
        return moved.replace(hour=0, minute=0, second=0) if kind < 0.7 else moved
