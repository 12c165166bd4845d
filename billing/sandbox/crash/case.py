"""A case: one fault, or a few, on one small company. A row of the failure matrix is a handful of cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from billing.sandbox.crash.stage import Stage
from billing.sandbox.crash.world import ORDINARY, World

Story = Callable[[Stage], None]
"""Starts processes and hurts them. What it leaves dead is started again, and the cycle then plays to its end."""


@dataclass(frozen=True, slots=True)
class Case:
    """`name` is unique within its row and says where the fault strikes."""

    row: str
    name: str
    story: Story
    world: World = ORDINARY
    own_server: bool = False
    """Whether it hurts the database server itself: then it has one of its own, while the others go on."""
    may_miss: bool = False
    """Whether a fault that never strikes is no failure: a recorded run came by, but no two runs are quite alike."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a recorded run of the ordinary world passes: failpoints by process, and commits by their tables."""

    worker: Counter[str] = field(default_factory=Counter)
    deaf: Counter[str] = field(default_factory=Counter)
    """The worker's failpoints while no webhook comes, so that every answer has to be fetched."""
    receiver: Counter[str] = field(default_factory=Counter)
    commits: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the failure matrix. `cases` may need a recorded run."""

    number: str
    title: str
    cases: Callable[[Trace], list[Case]]
