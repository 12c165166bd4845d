"""Slices, where billing and charging treat them alike: given back when the line, not the data, is at fault."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from billing.commands.slice.claim import ClaimedSlice, release
from billing.flows.parts import Parts
from billing.kernel.errors import Stale

STARTS_ALONE = 3
"""Starts of a slice of one member after which a death of its worker, too, counts as that member's fault."""


def give_back(parts: Parts, claimed: ClaimedSlice, *, error: str) -> None:
    """Let the next sweep claim it. Where that can't be written, its lease runs out by itself."""
    try:
        with parts.begin() as session:
            release(session, claimed, error=error)
    except (Stale, DBAPIError):
        # Somebody else has it, or the database is away.
        return
