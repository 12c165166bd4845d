"""A life in which several people and workers do something at one moment, mostly about the same customer."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

from billing.kernel.errors import Stale
from tests.flows import life_of_money, life_of_subscriptions, life_of_workers
from tests.flows.life import Act, Life
from tests.flows.line import SWEEPS, WORK
from tests.flows.passing import passing

ALONE = frozenset(
    (
        life_of_subscriptions.subscribe,
        life_of_subscriptions.erase,
        life_of_money.go,
        life_of_money.close,
        life_of_workers.die,
    )
)
"""What lasts for a while in a life, or what its own lists are written by."""
CUSTOMERS = 2
"""So few that everybody is in everybody's way."""


def crowd(life: Life) -> None:
    """Two to four do something at once, often the same to the same thing, while up to two workers work."""
    chance = life.chance
    acts: dict[Act, int] = {act: weight for act, weight in life.acts.items() if act not in ALONE}
    chosen = chance.choices(list(acts), list(acts.values()), k=chance.randint(2, 4))
    if chance.random() < 0.4:
        chosen = [chosen[0]] * len(chosen)
    seeds = [chance.random() for _ in chosen]
    if chance.random() < 0.4:
        seeds = [seeds[0]] * len(seeds)
    people = [replace(life, chance=random.Random(seed)) for seed in seeds]
    with ThreadPoolExecutor(len(people) + 2) as pool:
        workers = [pool.submit(_work, life) for _ in range(chance.randint(0, 2))]
        told = list(pool.map(lambda person, act: person.told(act), people, chosen))
        for worker in workers:
            worker.result()
    life.done.append(f"at once: {', '.join(told)}")


def _work(life: Life) -> None:
    """Two rounds of what workers do; who comes second looks again at the next sweep."""
    parts, line = life.acme.parts, life.acme.line
    for sweep in SWEEPS * 2:
        with passing(Stale):
            sweep(parts)
        while message := line.take():
            task, ids = message
            if task.name in WORK:
                with passing(Stale):
                    WORK[task.name](parts, *map(UUID, ids))
