"""What becomes of a scenario file: its status and what there is to say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PLAYED, BROKEN, INVALID, REFUSED = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file. `told` is null where it was not played to its end."""

    status: int
    told: dict[str, Any] | None
    complaints: Sequence[str]
