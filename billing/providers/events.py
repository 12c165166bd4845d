"""Events as a provider tells of them, by a delivery or in its list, reduced to what we act on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from billing.providers.reading import Unreadable

_WORD = re.compile(r"[\x20-\x7e]{0,255}")
"""Ids and kinds are ASCII; an id that no table can hold would take those along that came with it."""


@dataclass(frozen=True, slots=True)
class EventFacts:
    """A verified delivery, reduced to what we act on. Raises `Unreadable` for ids and kinds that are none."""

    event_ref: str
    type: str
    object_ref: str
    """Empty for the few objects that have no id (a balance)."""
    object_type: str
    created: datetime
    livemode: bool
    secret_index: int | None
    """Which of the configured secrets verified it (0 = newest); None: the provider's own list showed it."""
    charge_ref: str | None = None
    """The charge that failed, where it tells of one and of nothing else."""

    def __post_init__(self) -> None:
        for name in ("event_ref", "type", "object_ref", "object_type", "charge_ref"):
            if not _WORD.fullmatch(getattr(self, name) or ""):
                raise Unreadable(name)


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """An event as the provider's list shows it, with the body that a delivery of it has: personal, so it is sealed."""

    facts: EventFacts
    raw: bytes = field(repr=False)
