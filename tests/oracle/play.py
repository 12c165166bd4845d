"""Plays a scenario by the letter of the contract: an independent reference for the engine."""

import json
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

from tests.oracle import collection, output, periods, steps, times
from tests.oracle.state import Customer, Period, Refused, World
from tests.oracle.times import Moment


def _world(*, scenario: dict) -> World:
    seller = scenario["seller"]
    customers = {}
    for name, given in (scenario.get("customers") or {}).items():
        facts = given or {}
        customers[name] = Customer(
            name=name,
            country=facts.get("country") or seller["country"],
            zone=ZoneInfo(facts.get("timezone") or seller.get("timezone") or "UTC"),
            tax_id=facts.get("tax_id"),
            method=facts.get("payment_method"),
        )
    dunning = seller.get("dunning") or {}
    return World(
        seller=seller,
        prices=scenario.get("prices") or {},
        coupons=scenario.get("coupons") or {},
        customers=customers,
        retries=[times.delay(value=x) for x in dunning.get("retries", ["3d", "5d", "7d"])],
        final=dunning.get("final", "cancel"),
        now=times.moment(value="1970-01-01"),
    )


def _outages(*, timeline: list[dict]) -> list[Period]:
    """When the scheduler stands still, from the first step's moment on."""
    found = [(times.moment(value=s["at"]), times.moment(value=s["until"])) for s in timeline if s["do"] == "outage"]
    return sorted(found)


def _back(*, world: World, at: Moment) -> Moment:
    """When the scheduler does what is due at a moment."""
    for start, end in world.outages:
        if start <= at < end:
            at = end
    return at


def _due(*, world: World) -> Moment | None:
    """When the scheduler next has something to do."""
    moments = [sub.end for sub in world.subscriptions.values() if sub.status != "canceled"]
    moments += [document.retry_at for document in world.documents if document.retry_at is not None]
    return _back(world=world, at=min(moments)) if moments else None


def _scheduled(*, world: World) -> None:
    """Retries, oldest invoice first, then trial ends and boundaries by subscription name."""
    for document in world.ordered():
        if document.retry_at is not None and document.retry_at <= world.now:
            collection.retry(world=world, document=document)
    for _, sub in sorted(world.subscriptions.items()):
        periods.catch_up(world=world, sub=sub)


def _step(*, world: World, number: int, step: dict) -> None:
    try:
        steps.take(world=world, step=step)
    except Refused as refused:
        at = times.text(at=world.now)
        world.refusals.append({"step": number, "at": at, "do": step["do"], "code": refused.code})


def play(scenario: dict, *, until: object = None) -> dict:
    """The output of a valid scenario, played up to `until` (its own by default)."""
    horizon = times.moment(value=scenario["until"] if until is None else until)
    timeline = scenario.get("timeline") or []
    world = _world(scenario=scenario)
    world.outages = _outages(timeline=timeline)
    numbered = [(times.moment(value=s["at"]), n, s) for n, s in enumerate(timeline, start=1)]
    queue = sorted(numbered, key=lambda entry: entry[:2])
    while True:
        due = _due(world=world)
        moments = [m for m in (due, queue[0][0] if queue else None) if m is not None]
        if not moments or min(moments) > horizon:
            return output.output(world=world)
        world.now = min(moments)
        if _back(world=world, at=world.now) == world.now:
            _scheduled(world=world)
        while queue and queue[0][0] == world.now:
            _, number, step = queue.pop(0)
            _step(world=world, number=number, step=step)


def main(*, arguments: list[str]) -> int:
    """Plays a file and prints the output."""
    scenario = yaml.safe_load(Path(arguments[0]).read_text(encoding="utf-8"))
    sys.stdout.write(json.dumps(play(scenario), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(arguments=sys.argv[1:]))
