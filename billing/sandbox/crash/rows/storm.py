"""Row 80: a short storm of faults by chance among the other rows; `./run crash --nemesis` goes on for minutes."""

from __future__ import annotations

from billing.sandbox.crash.case import Case, Row
from billing.sandbox.crash.nemesis import COMPANY, Told, story

_MINUTES = 0.5
"""A cycle has two minutes in all, with time to come to rest on a loaded machine."""
_SEEDS = (1, 2)

ROWS = (
    Row(
        "80",
        "a storm of faults by chance",
        lambda _: [
            Case("80", f"half a minute, seed {seed}", story(Told(), _MINUTES, seed), world=COMPANY, own_server=True)
            for seed in _SEEDS
        ],
    ),
)
