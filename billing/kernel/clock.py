"""Instants as text: ISO 8601 in, UTC with `Z` out. Business time itself is read by each flow and passed down."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from billing.kernel.errors import Fault, Refused

_BARE_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MEND = "give ISO 8601 with an offset (2026-01-31T09:00:00+01:00), or a bare date for 00:00 UTC"


def parse_instant(text: str, *, field: str = "time") -> datetime:
    """The instant that `text` names, in UTC. A bare date is 00:00 UTC, whatever anyone's zone.

    Raises `Refused` with a fault on `field`: `time_without_offset`, or `not_a_time`.
    """
    bare = _BARE_DATE.fullmatch(text) is not None
    try:
        read = datetime.fromisoformat(text)
        if bare:
            return read.replace(tzinfo=UTC)
        if read.tzinfo is not None:
            return read.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refused(Fault(field, "not_a_time", _MEND)) from error
    raise Refused(Fault(field, "time_without_offset", _MEND))


def format_instant(instant: datetime) -> str:
    """ISO 8601 in UTC with `Z`; fractions of a second only where there are any. `instant` is aware."""
    if instant.tzinfo is None:
        raise ValueError("an instant without a zone has no UTC text")
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
