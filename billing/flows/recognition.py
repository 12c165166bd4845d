"""Recognition: revenue that was earned since the last look, booked in batches of lines, one transaction each."""

from __future__ import annotations

from uuid import UUID

from billing.commands.revenue.recognise import recognise
from billing.flows.parts import Parts

BATCH = 5000
"""Lines in one statement: long enough to be cheap, short enough to lock nobody's credit note out."""


def recognise_due(parts: Parts, *, seller_id: UUID | None = None, most: int | None = None) -> int:
    """Take every step that is due, of one seller or of all (at most `most` lines). Returns how many were taken."""
    taken = 0
    while most is None or taken < most:
        with parts.begin() as session:
            step = recognise(session, now=parts.clock.now(session), most=BATCH, seller_id=seller_id)
        taken += step
        if not step:
            break
    return taken
