"""Zones as the database knows them: it has a list of its own, by which it dates what is booked."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused

_ASKED = text("SELECT clock_timestamp() AT TIME ZONE :zone")


def require_known_zone(session: Session, zone: str) -> None:
    """Raise `Refused` (`unknown_timezone`) where the database could not date by it."""
    try:
        with session.begin_nested():
            session.execute(_ASKED, {"zone": zone})
    except DataError:
        mend = "the database knows no such zone; give an older name of it, such as Europe/Berlin, or update PostgreSQL"
        raise Refused(Fault("timezone", "unknown_timezone", mend)) from None
